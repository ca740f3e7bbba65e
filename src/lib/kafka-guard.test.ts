import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { Admin } from '@platformatic/kafka';
import { guardKafkaConnections } from './kafka-guard.ts';

test('a broker that goes away during the sign-in rejects, and ends nothing else', async () => {
  guardKafkaConnections();
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.resetAndDestroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = new Admin({
    clientId: 'test',
    bootstrapBrokers: [`127.0.0.1:${(server.address() as AddressInfo).port}`],
    sasl: { mechanism: 'SCRAM-SHA-256', username: 'user', password: 'password' },
    retries: 0,
  });
  try {
    await assert.rejects(client.metadata({ topics: [] }));
    await new Promise((resolve) => setTimeout(resolve, 50));
  } finally {
    await client.close();
    server.close();
  }
});
