import { subscribe } from 'node:diagnostics_channel';

/** Where the client library (@platformatic/kafka) tells of each connection it is about to make. */
const CONNECTING = 'tracing:plt:kafka:connections:connects:start';

let guards = false;

/**
 * To be called before the first Kafka client is made. A connection that dies while it signs in reports that twice, and
 * the library listens once: without this, the second `error` event ends the process. Whoever waits for the connection
 * is told by the first one.
 */
export function guardKafkaConnections(): void {
  if (guards) return;
  guards = true;
  subscribe(CONNECTING, (message) => {
    (message as { connection: NodeJS.EventEmitter }).connection.on('error', () => undefined);
  });
}
