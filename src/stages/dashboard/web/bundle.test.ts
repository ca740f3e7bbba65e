// The page must open at once on a phone: its script is bounded, and its policy leaves no room for inline code.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';

const SCRIPT_GZIP_BYTES_MAX = 60 << 10;

test('the built page: at most 60 KB of script gzipped, nothing inline, nothing from elsewhere', async (t) => {
  const webDir = await mkdtemp(join(tmpdir(), 'instashop-bundle-'));
  try {
    const configFile = fileURLToPath(new URL('vite.config.ts', import.meta.url));
    await build({ configFile, logLevel: 'error', build: { outDir: webDir } });
    const sizes = new Map<string, number>();
    for (const name of await readdir(join(webDir, 'assets'))) {
      if (name.endsWith('.js'))
        sizes.set(name, gzipSync(await readFile(join(webDir, 'assets', name)), { level: 9 }).length);
    }
    // Of the languages one is read.
    const languages = [...sizes].filter(([name]) => name.startsWith('text-')).map(([, size]) => size);
    assert.equal(languages.length, 2);
    const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0) - Math.min(...languages);
    t.diagnostic(`script: ${bytes} bytes gzipped`);
    assert.ok(bytes > 10_000 && bytes <= SCRIPT_GZIP_BYTES_MAX, `${bytes} bytes`);
    const html = await readFile(join(webDir, 'index.html'), 'utf8');
    assert.doesNotMatch(html, /<style|\sstyle=|<script(?![^>]*\ssrc=)|\son\w+=|(src|href)="(https?:)?\/\//);
  } finally {
    await rm(webDir, { recursive: true, force: true });
  }
});
