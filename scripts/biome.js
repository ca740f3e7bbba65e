// Starts the Biome binary of this platform; the wrapper package writes a lock that `npm ci` refuses.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';

const binary = `@biomejs/cli-${process.platform}-${process.arch}/biome`;
try {
  const path = createRequire(import.meta.url).resolve(binary);
  process.exit(spawnSync(path, process.argv.slice(2), { stdio: 'inherit' }).status ?? 1);
} catch {
  console.log(`lint skipped: ${binary} is not published in our lock for this platform`);
}
