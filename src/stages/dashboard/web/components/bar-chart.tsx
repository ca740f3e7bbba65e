import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { language, texts, theme } from '../state.ts';
import { type Bar, type BarPlot, barPlot } from './bar-plot.ts';

export interface BarChartProps {
  /** What the bars are; also the table's column. */
  readonly title: string;
  /** The x axis' word, over the table's first column. */
  readonly of: string;
  readonly bars: readonly Bar[];
  readonly color: string;
  readonly height: number;
  readonly syncKey: string;
  readonly format: (value: number) => string;
  readonly formatAxis: (value: number) => string;
  readonly formatX: (ms: number) => string;
  readonly bounds: (bar: Bar) => string;
}

const stateOf = (bar: Bar): string => {
  const t = texts.value;
  return bar.open ? t.open : bar.revision > 0 ? t.revised(bar.revision) : t.closed;
};

function Table({ title, of, bars, format, bounds }: BarChartProps) {
  const t = texts.value;
  const open = useSignal(false);
  return (
    <details class="as-table" onToggle={(event) => (open.value = event.currentTarget.open)}>
      <summary>
        {t.asTable}
        <span class="sr">: {title}</span>
      </summary>
      {open.value && (
        <table>
          <thead>
            <tr>
              <th scope="col">{of}</th>
              <th scope="col" class="num">
                {title}
              </th>
              <th scope="col">{t.state_}</th>
            </tr>
          </thead>
          <tbody>
            {[...bars].reverse().map((bar) => (
              <tr key={bar.start}>
                <th scope="row">{bounds(bar)}</th>
                <td class="num">{format(bar.value)}</td>
                <td>{stateOf(bar)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </details>
  );
}

/** Bars over time with a reading line above, arrow keys, and the same figures as a table. */
export function BarChart(props: BarChartProps) {
  const t = texts.value;
  const { title, bars, format, bounds, color, height, syncKey } = props;
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
  useEffect(() => plot.current?.show(bars), [bars]);

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
        <p class="reading" aria-live="polite">
          {read !== undefined && (
            <>
              <strong>{format(read.value)}</strong> {bounds(read)}, {stateOf(read)}
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
      <Table {...props} />
    </div>
  );
}
