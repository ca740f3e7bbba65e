import type { Clock } from './clock.ts';

/** Plain log lines for people: time, level, who, what happened. Figures go into `fields`. */
export interface Log {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
  child(scope: string): Log;
}

const show = (value: unknown): string =>
  value instanceof Error ? value.message : typeof value === 'string' ? value : JSON.stringify(value);

/** Writes one line per call through `write` (without a line end). */
export function lineLog(clock: Clock, write: (line: string) => void, scope = 'instashop'): Log {
  const line =
    (level: string): Log['info'] =>
    (message, fields = {}) => {
      const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${show(value)}`);
      write(`${new Date(clock.now()).toISOString()} ${level} ${scope}: ${message}${rest.join('')}`);
    };
  return {
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    child: (name) => lineLog(clock, write, name),
  };
}

/** Says nothing: for tests. */
export const silentLog: Log = { info() {}, warn() {}, error() {}, child: () => silentLog };
