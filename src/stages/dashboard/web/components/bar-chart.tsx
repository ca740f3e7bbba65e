import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { language, texts, theme } from '../settings.ts';
import type { Sheet } from '../sheet.ts';
import { type Bar, type BarPlot, barPlot } from './bar-plot.ts';
import { type Defined, Info } from './info.tsx';
import { SheetView } from './sheet-view.tsx';

export interface BarChartProps {
  /** Also of its table and file. */
  readonly id: string;
  /** What the bars are; also the table's column. */
  readonly title: string;
  readonly info: Defined;
  /** The x axis' word, over the table's first column. */
  readonly of: string;
  readonly bars: readonly Bar[];
  readonly color: string;
  readonly height: number;
  readonly syncKey: string;
  readonly format: (value: number) => string;
  readonly formatAxis: (value: number) => string;
  readonly formatX: (ms: number) => string;
  /** Of what is compared; null where nothing is. */
  readonly than: string | null;
  /** The currency of the bars' values; null where they are counts. */
  readonly currency: string | null;
  readonly bounds: (bar: Bar) => string;
}

const stateOf = (bar: Bar): string => {
  const t = texts.value;
  return bar.open ? t.open : bar.revision > 0 ? t.revised(bar.revision) : t.closed;
};

function sheetOf({ id, title, of, bars, than, currency, bounds }: BarChartProps): Sheet {
  const t = texts.value;
  const kind = currency === null ? 'count' : 'money';
  return {
    id,
    title,
    ...(currency !== null && { currency }),
    columns: [
      { name: 'from', label: null, kind: 'time' },
      { name: 'to', label: null, kind: 'time' },
      { name: 'bounds', label: of, kind: 'text' },
      { name: 'value', label: title, kind },
      { name: 'before', label: than, kind },
      { name: 'state', label: t.state_, kind: 'text' },
    ],
    rows: () =>
      [...bars]
        .reverse()
        .map((bar) => [bar.start, bar.end, bounds(bar), bar.value, bar.before, stateOf(bar)]),
  };
}

/** Bars over time with a reading line above, arrow keys, and the same figures as a table. */
export function BarChart(props: BarChartProps) {
  const t = texts.value;
  const { title, bars, format, bounds, color, height, syncKey, than } = props;
  const target = useRef<HTMLDivElement>(null);
  const plot = useRef<BarPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const reading = useSignal<number | null>(null);
  const themeNow = theme.value;
  const languageNow = language.value;

  // Colours and words are drawn anew with theme and language.
  useEffect(() => {
    plot.current = barPlot({
      target: target.current!,
      height,
      color,
      syncKey,
      formatX: (ms) => latest.current.formatX(ms),
      formatY: (value) => latest.current.formatAxis(value),
      onBar: (index) => (reading.value = index),
    });
    plot.current.show(latest.current.bars);
    return () => plot.current?.destroy();
  }, [themeNow, languageNow, color, height, syncKey]);
  // In the frame of the other figures: a frame of its own would cost as much again.
  useLayoutEffect(() => plot.current?.show(bars), [bars]);

  const highest = bars.reduce((max, { value }) => Math.max(max, value), 0);
  const newest = bars.at(-1);
  const read = reading.value === null ? undefined : bars[reading.value];
  const summary = t.barsOf(title, bars.length, format(highest), format(newest?.value ?? 0));
  const onKeyDown = (event: KeyboardEvent): void => {
    const by = event.key === 'ArrowLeft' ? -1 : event.key === 'ArrowRight' ? 1 : 0;
    if (by === 0) return;
    event.preventDefault();
    plot.current?.move(by);
  };
  return (
    <div class="chart">
      <div class="chart-head">
        <h3>{title}</h3>
        <Info of={props.info} name={title} />
        <p class="reading" aria-live="polite">
          {read !== undefined && (
            <>
              <strong>{format(read.value)}</strong> {bounds(read)}, {stateOf(read)}
              {read.before !== null && than !== null && `; ${than}: ${format(read.before)}`}
            </>
          )}
        </p>
      </div>
      <div
        class="plot"
        ref={target}
        role="img"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys read the bars.
        tabIndex={0}
        aria-label={`${summary} ${t.chartKeys}`}
        onKeyDown={onKeyDown}
      />
      <SheetView sheet={sheetOf(props)} />
    </div>
  );
}
