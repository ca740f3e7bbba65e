/** Actions that run one after the other, in the order in which they were given. */
export interface Turns {
  /** How many have not ended. */
  waiting(): number;
  /** Resolves or rejects as the action does, once those before it have ended, whatever became of them. */
  take<T>(action: () => Promise<T>): Promise<T>;
}

/** Bounded by whoever gives them: ask `waiting` first. */
export function turns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return {
    waiting: () => waiting,
    take(action) {
      waiting += 1;
      const done = last.then(action);
      last = done
        .catch(() => {})
        .then(() => {
          waiting -= 1;
        });
      return done;
    },
  };
}
