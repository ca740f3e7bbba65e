import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import type { Clock } from '../lib/clock.ts';
import { systemClock } from '../lib/clock.ts';
import { UserError } from '../lib/errors.ts';
import { download, type RemoteFile } from './download.ts';

describe('downloads', () => {
  const contents: Record<string, string> = { 'a/one.jar': 'first', 'two.jar': 'second'.repeat(10_000) };
  const files: RemoteFile[] = Object.entries(contents).map(([path, text]) => ({
    path,
    bytes: text.length,
    sha256: hash('sha256', text),
  }));
  const serve: RequestListener = (request, response) => {
    const text = contents[request.url!.slice(1)];
    response.writeHead(text === undefined ? 404 : 200).end(text);
  };
  let answer: RequestListener = serve;
  let asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url!);
    answer(request, response);
  });
  const clock: Clock = { now: systemClock.now, sleep: async () => undefined };
  let folder: string;
  let baseUrl: string;
  const fetchAll = (more = {}) => download({ baseUrl, variable: 'SOME_URL', folder, files, clock, ...more });
  const names = () =>
    (readdirSync(folder, { recursive: true }) as string[]).filter((name) => /\./.test(name));

  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });
  after(() => server.close());
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'instashop-download-'));
    answer = serve;
    asked = [];
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test('brings what is missing, once, and tells how far it is', async () => {
    const seen: number[] = [];
    let all = 0;
    await fetchAll({
      onProgress(bytes: number, bytesAll: number) {
        seen.push(bytes);
        all = bytesAll;
      },
    });
    for (const [path, text] of Object.entries(contents)) {
      assert.equal(readFileSync(join(folder, path), 'utf8'), text);
    }
    assert.equal(seen.at(-1), all);
    assert.equal(all, 60_005);
    await fetchAll();
    assert.equal(asked.length, 2);
    rmSync(join(folder, 'two.jar'));
    await fetchAll();
    assert.deepEqual(asked.slice(2), ['/two.jar']);
  });

  test('another content than the pinned one is not taken, and nothing of it is left', async () => {
    answer = (_, response) => response.end('FIRST');
    await assert.rejects(
      fetchAll({ files: files.slice(0, 1) }),
      (error) => error instanceof UserError && /SHA-256/.test(error.message) && /SOME_URL/.test(error.remedy),
    );
    assert.deepEqual(names(), []);
    assert.equal(asked.length, 1, 'asking again brings the same');
  });

  test('a broken connection and a server in trouble are tried again', async () => {
    const faults: RequestListener[] = [
      (_, response) => response.writeHead(503).end(),
      (_, response) => {
        response.writeHead(200, { 'content-length': '5' }).write('fi');
        setImmediate(() => response.destroy());
      },
    ];
    answer = (request, response) => (faults.shift() ?? serve)(request, response);
    const seen: number[] = [];
    await fetchAll({ files: files.slice(0, 1), onProgress: (bytes: number) => seen.push(bytes) });
    assert.equal(asked.length, 3);
    assert.equal(seen.at(-1), 5);
  });

  test('without a network, or where the file is not known, a person is told', async () => {
    const told = (text: RegExp) => (error: unknown) =>
      error instanceof UserError && text.test(error.message) && /SOME_URL/.test(error.remedy);
    await assert.rejects(fetchAll({ baseUrl: 'http://127.0.0.1:1' }), told(/cannot download/));
    answer = (_, response) => response.writeHead(404).end();
    await assert.rejects(fetchAll(), told(/HTTP 404/));
    assert.ok(asked.length <= 2);
  });

  test('two at once both succeed, and what a killed one left is removed after an hour', async () => {
    mkdirSync(join(folder, 'a'));
    const stale = join(folder, 'a', 'one.jar.part-1');
    const young = join(folder, 'a', 'one.jar.part-2');
    writeFileSync(stale, 'fi');
    writeFileSync(young, 'fi');
    utimesSync(stale, 0, 0);
    await Promise.all([fetchAll(), fetchAll()]);
    assert.deepEqual(names().sort(), ['a/one.jar', 'a/one.jar.part-2', 'two.jar']);
  });
});
