// A password is kept only as what scrypt (RFC 7914) makes of it: `scrypt$N$r$p$salt$hash`, base64url.
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';

/** 32 MB and about a quarter of a second: OWASP's figures for scrypt. */
const COST = { N: 2 ** 15, r: 8, p: 3 } as const;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** What a hash in the file may ask for: 128 MB. */
const MEMORY_BYTES_MAX = 128 * 2 ** 17 * 8;

export const PASSWORD_CHARS_MIN = 10;
export const PASSWORD_CHARS_MAX = 200;
/** What a kept password looks like. */
export const PASSWORD_HASH = /^scrypt\$\d{1,6}\$\d{1,2}\$\d{1,2}\$[\w-]{16,64}\$[\w-]{43}$/;

type Cost = Readonly<Record<'N' | 'r' | 'p', number>>;

/** However a keyboard composed its letters. */
const bytesOf = (password: string): Buffer => Buffer.from(password.normalize('NFKC'));

const derive = (password: string, salt: Buffer, cost: Cost): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const options: ScryptOptions = { ...cost, maxmem: MEMORY_BYTES_MAX + 2 ** 20 };
    scrypt(bytesOf(password), salt, HASH_BYTES, options, (error, hash) =>
      error === null ? resolve(hash) : reject(error),
    );
  });

/** What is kept of a password, with a salt of its own. `cost`: for tests, which have no secrets. */
export async function hashPassword(password: string, cost: Cost = COST): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, cost);
  const { N, r, p } = cost;
  return ['scrypt', N, r, p, salt.toString('base64url'), hash.toString('base64url')].join('$');
}

/** Whether this is the password that was kept; as long whatever the answer. Rejects where `kept` is no hash. */
export async function isPassword(password: string, kept: string): Promise<boolean> {
  const [, N, r, p, salt = '', hash = ''] = kept.split('$');
  const derived = await derive(password, Buffer.from(salt, 'base64url'), {
    N: Number(N),
    r: Number(r),
    p: Number(p),
  });
  const expected = Buffer.from(hash, 'base64url');
  return expected.length === HASH_BYTES && timingSafeEqual(derived, expected);
}
