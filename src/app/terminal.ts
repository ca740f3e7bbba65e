// What a person sees: lines, and in a terminal one line below them that is updated in place.
import { type Clock, systemClock } from '../lib/clock.ts';
import { type Log, lineLog } from '../lib/log.ts';

export interface Terminal {
  /** Whether somebody looks at it, rather than a file or a pipe. */
  readonly live: boolean;
  line(text: string): void;
  /** Replaces the live line; an empty text removes it. Does nothing where nobody looks. */
  status(text: string): void;
  columns(): number;
}

const CLEAR = '\r\x1b[K';

export function terminal(out: NodeJS.WriteStream): Terminal {
  let shown = '';
  const live = out.isTTY === true;
  const columns = () => out.columns ?? 80;
  return {
    live,
    columns,
    line(text) {
      out.write(`${shown ? CLEAR : ''}${text}\n${shown}`);
    },
    status(text) {
      if (!live) return;
      const fitting = text.slice(0, columns() - 1);
      out.write(`${CLEAR}${fitting}`);
      shown = fitting;
    },
  };
}

/** Log lines through the terminal; where somebody looks, only what needs attention. */
export function terminalLog({ live, line }: Terminal, clock: Clock = systemClock): Log {
  const log = lineLog(clock, line);
  return live ? attentionOnly(log) : log;
}

const attentionOnly = (log: Log): Log => ({
  ...log,
  info() {},
  child: (scope) => attentionOnly(log.child(scope)),
});
