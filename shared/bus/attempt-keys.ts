import { randomFillSync } from 'node:crypto';

const bytesPerKey = 9;
const keysPerFill = 512;

/**
 * Keys of reply subjects: `k` and 12 characters of `A-Z a-z 0-9 _ -` that nobody can guess. A worker may publish to any reply subject, so a key that it could guess would
 * let it answer another server's calls.
 */
export function createAttemptKeys(): () => string {
  const pool = Buffer.alloc(bytesPerKey * keysPerFill);
  let at = pool.length;
  return () => {
    if (at === pool.length) {
      randomFillSync(pool);
      at = 0;
    }
    // Other keys of the same subjects begin otherwise: `alive`, `free`, `p-…`.
    const key = `k${pool.toString('base64url', at, at + bytesPerKey)}`;
    at += bytesPerKey;
    return key;
  };
}
