import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.txt': 'text/plain; charset=utf-8',
};

/** No inline code, no third party, and no frame but in pages of these origins. */
export const pageCsp = (frameAncestors: readonly string[]): string =>
  "default-src 'self'; base-uri 'none'; form-action 'none'; object-src 'none'; frame-ancestors " +
  (frameAncestors.join(' ') || "'none'");

/** Everything the page is made of fits many times over. */
const FILES_MAX = 100;
const FILE_BYTES_MAX = 4 << 20;

interface StaticFile {
  readonly type: string;
  readonly bytes: Buffer;
  readonly gzip: Buffer;
  readonly etag: string;
  /** Its name carries a hash of its content, so it never changes. */
  readonly immutable: boolean;
}

/** The built page by URL path, in memory; empty when it was never built. */
async function load(folder: string): Promise<ReadonlyMap<string, StaticFile>> {
  const files = new Map<string, StaticFile>();
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const type = TYPES[extname(entry.name)];
    if (!entry.isFile() || type === undefined || files.size >= FILES_MAX) continue;
    const path = join(entry.parentPath, entry.name);
    const bytes = await readFile(path);
    if (bytes.length > FILE_BYTES_MAX) continue;
    const name = relative(folder, path).split(sep).join('/');
    files.set(name === 'index.html' ? '/' : `/${name}`, {
      type,
      bytes,
      gzip: gzipSync(bytes, { level: 9 }),
      etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
      immutable: name.startsWith('assets/'),
    });
  }
  return files;
}

function send(file: StaticFile, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply.headers({
    'cache-control': file.immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
    etag: file.etag,
    vary: 'accept-encoding',
    'content-type': file.type,
  });
  if (request.headers['if-none-match']?.includes(file.etag)) return reply.code(304).send();
  if (!/\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))) return reply.send(file.bytes);
  return reply.header('content-encoding', 'gzip').send(file.gzip);
}

/** Serves the built page: hashed assets for good, the rest revalidated. Says how to build it if it is not there. */
export async function serveStatic(server: FastifyInstance, folder: string): Promise<void> {
  const files = await load(folder);
  // The page itself tells nothing of the shop, and is where one signs in.
  const open = { config: { access: 'open' as const } };
  for (const [path, file] of files) server.get(path, open, (request, reply) => send(file, request, reply));
  if (files.has('/')) return;
  server.get('/', open, (_request, reply) =>
    reply
      .code(503)
      .type('text/plain; charset=utf-8')
      .send(
        `The page is not built yet. Build it with: node scripts/prepare.js web (expected in ${folder})\n`,
      ),
  );
}
