/**
 * Aborts when the process is asked to end: Ctrl-C, SIGTERM, a closed terminal, or the end of the process that started
 * it (Node's channel). A second Ctrl-C ends it at once. Call `forget` when all is done.
 */
export function stopSignals(onFirst: () => void): { readonly signal: AbortSignal; forget(): void } {
  const stopping = new AbortController();
  const stop = (): void => {
    if (stopping.signal.aborted) return;
    stopping.abort();
    onFirst();
  };
  const interrupt = (): void => {
    if (stopping.signal.aborted) process.exit(130);
    stop();
  };
  process.on('SIGINT', interrupt).on('SIGTERM', stop).on('SIGHUP', stop).on('disconnect', stop);
  // Waiting for the parent's end keeps nothing running.
  process.channel?.unref();
  if (process.send && !process.connected) stop();
  return {
    signal: stopping.signal,
    forget() {
      process.off('SIGINT', interrupt).off('SIGTERM', stop).off('SIGHUP', stop).off('disconnect', stop);
    },
  };
}
