import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const LISTEN = '0A';

const attempt = <T>(read: () => T, otherwise: T): T => {
  try {
    return read();
  } catch {
    return otherwise;
  }
};

/** Who listens on a TCP port: "<program> (process <pid>)", or null where the system does not tell. Linux only. */
export function whoListens(port: number): string | null {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const inodes = new Set(
    ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) =>
      attempt(() => readFileSync(file, 'utf8'), '')
        .split('\n')
        .map((line) => line.trim().split(/\s+/))
        .filter(([, local, , state]) => local?.endsWith(`:${hex}`) && state === LISTEN)
        .map((fields) => `socket:[${fields[9]}]`),
    ),
  );
  if (inodes.size === 0) return null;
  for (const pid of attempt(() => readdirSync('/proc'), []).filter((name) => /^\d+$/.test(name))) {
    const files = attempt(() => readdirSync(`/proc/${pid}/fd`), []);
    const listens = files.some((fd) => inodes.has(attempt(() => readlinkSync(`/proc/${pid}/fd/${fd}`), '')));
    if (listens)
      return `${attempt(() => readFileSync(`/proc/${pid}/comm`, 'utf8'), '?').trim()} (process ${pid})`;
  }
  return null;
}
