// uPlot drawing bars with bounds: closed ones filled, the open one hatched and dashed, revised ones marked.
import uPlot from 'uplot';

export interface Bar {
  /** Bounds, epoch ms. */
  readonly start: number;
  readonly end: number;
  readonly value: number;
  readonly open: boolean;
  readonly revision: number;
  /** What it is compared with; null where there is nothing. */
  readonly before: number | null;
}

export interface BarPlotOptions {
  readonly target: HTMLElement;
  readonly height: number;
  /** Name of the CSS custom property of the bars' colour. */
  readonly color: string;
  readonly syncKey: string;
  readonly formatX: (ms: number) => string;
  readonly formatY: (value: number) => string;
  /** The bar under the pointer, null when there is none. */
  readonly onBar: (index: number | null) => void;
}

export interface BarPlot {
  show(bars: readonly Bar[]): void;
  /** Moves the reading mark by that many bars (from the keyboard). */
  move(by: number): void;
  destroy(): void;
}

const GAP_PX = 2;
const HATCH_PX = 5;

/** The colour that a custom property has now, in a form a canvas takes (themes use light-dark()). */
function colorOf(probe: HTMLElement, property: string): string {
  probe.style.color = `var(${property})`;
  return getComputedStyle(probe).color;
}

function hatch(context: CanvasRenderingContext2D, x: number, y: number, width: number, height: number): void {
  const step = HATCH_PX * devicePixelRatio;
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.beginPath();
  for (let offset = -height; offset < width; offset += step) {
    context.moveTo(x + offset, y + height);
    context.lineTo(x + offset + height, y);
  }
  context.stroke();
  context.restore();
}

function drawBar(plot: uPlot, bar: Bar, color: string, mark: string, faded: boolean): void {
  const context = plot.ctx;
  const ratio = devicePixelRatio;
  const start = plot.valToPos(bar.start, 'x', true);
  const end = plot.valToPos(bar.end, 'x', true);
  // Many bars on a narrow page: the gap must not eat them.
  const gap = Math.min((GAP_PX / 2) * ratio, (end - start) / 8);
  const left = start + gap;
  const right = end - gap;
  const base = plot.valToPos(0, 'y', true);
  const top = Math.min(plot.valToPos(bar.value, 'y', true), base);
  const width = Math.max(right - left, ratio);
  context.fillStyle = color;
  context.strokeStyle = color;
  context.lineWidth = 1.25 * ratio;
  if (bar.open) {
    context.globalAlpha = faded ? 0.05 : 0.14;
    context.fillRect(left, top, width, base - top);
    context.globalAlpha = 1;
    hatch(context, left, top, width, base - top);
    context.setLineDash([4 * ratio, 3 * ratio]);
    context.strokeRect(left, top, width, base - top);
    context.setLineDash([]);
  } else {
    context.globalAlpha = faded ? 0.5 : 1;
    context.fillRect(left, top, width, base - top);
    context.globalAlpha = 1;
  }
  if (bar.revision > 0) {
    context.fillStyle = mark;
    context.beginPath();
    context.arc((left + right) / 2, top - 6 * ratio, 2.5 * ratio, 0, 2 * Math.PI);
    context.fill();
  }
}

/** The figures of the time before, as steps behind the bars' tops. */
function drawBefore(plot: uPlot, bars: readonly Bar[], color: string): void {
  const context = plot.ctx;
  context.strokeStyle = color;
  context.lineWidth = 1.5 * devicePixelRatio;
  context.lineJoin = 'round';
  context.beginPath();
  let isOn = false;
  for (const { start, end, before } of bars) {
    if (before === null) {
      isOn = false;
      continue;
    }
    const y = plot.valToPos(before, 'y', true);
    const x = plot.valToPos(start, 'x', true);
    if (isOn) context.lineTo(x, y);
    else context.moveTo(x, y);
    context.lineTo(plot.valToPos(end, 'x', true), y);
    isOn = true;
  }
  context.stroke();
}

function axes(probe: HTMLElement, options: BarPlotOptions): uPlot.Axis[] {
  const stroke = colorOf(probe, '--ink-2');
  const grid = { stroke: colorOf(probe, '--line'), width: 1 };
  const font = `11px ${getComputedStyle(probe).fontFamily}`;
  const common = { stroke, font, ticks: { show: false } };
  return [
    {
      ...common,
      grid: { show: false },
      space: 72,
      size: 24,
      values: (_plot, splits) => splits.map(options.formatX),
    },
    { ...common, grid, space: 24, size: 56, gap: 6, values: (_plot, splits) => splits.map(options.formatY) },
  ];
}

/** Draws into the target, as wide as it is, until destroyed. */
export function barPlot(options: BarPlotOptions): BarPlot {
  const { target, height } = options;
  const probe = target.appendChild(document.createElement('span'));
  probe.hidden = true;
  // Asked once: each question makes the browser settle all styles, and the charts are made anew with the theme.
  const [color, mark, beforeColor] = [options.color, '--mark', '--before'].map((name) =>
    colorOf(probe, name),
  ) as [string, string, string];
  let bars: readonly Bar[] = [];
  let active: number | null = null;
  const plot = new uPlot(
    {
      width: Math.max(target.clientWidth, 120),
      height,
      ms: 1,
      padding: [12, 18, 0, 0],
      legend: { show: false },
      cursor: {
        x: false,
        y: false,
        points: { show: false },
        drag: { x: false, y: false },
        sync: { key: options.syncKey },
      },
      scales: {
        x: { time: true, range: () => [bars[0]?.start ?? 0, bars.at(-1)?.end ?? 1] },
        y: { range: (_plot, _min, max) => [0, Math.max(max * 1.12, 1)] },
      },
      series: [
        {},
        { paths: () => null, points: { show: false } },
        { paths: () => null, points: { show: false } },
      ],
      axes: axes(probe, options),
      hooks: {
        draw: [
          (drawn) => {
            // uPlot remembers the context's settings, so they must be as it left them.
            drawn.ctx.save();
            bars.forEach((bar, index) => {
              drawBar(drawn, bar, color, mark, active !== null && index !== active);
            });
            drawBefore(drawn, bars, beforeColor);
            drawn.ctx.restore();
          },
        ],
        setCursor: [
          (moved) => {
            const next =
              moved.cursor.left === undefined || moved.cursor.left < 0 ? null : (moved.cursor.idx ?? null);
            if (next === active) return;
            active = next;
            options.onBar(next);
            moved.redraw(false);
          },
        ],
      },
    },
    [[], [], []],
    target,
  );
  const resized = new ResizeObserver(() =>
    plot.setSize({ width: Math.max(target.clientWidth, 120), height }),
  );
  resized.observe(target);

  return {
    show(next) {
      bars = next;
      plot.setData([
        bars.map(({ start, end }) => (start + end) / 2),
        bars.map(({ value }) => value),
        bars.map(({ before }) => before),
      ]);
    },
    move(by) {
      const index = Math.max(0, Math.min(bars.length - 1, (active ?? (by > 0 ? -1 : bars.length)) + by));
      const bar = bars[index];
      if (bar !== undefined) plot.setCursor({ left: plot.valToPos((bar.start + bar.end) / 2, 'x'), top: 1 });
    },
    destroy() {
      resized.disconnect();
      plot.destroy();
      probe.remove();
    },
  };
}
