import { createHash } from 'node:crypto';
import type { JsonObject } from '../../../shared/mcp/json.ts';
import type { Era } from '../../../shared/mcp/revisions.ts';
import type { Sealer } from '../../../shared/seal.ts';
import { InvalidCursor, type ListKind } from './catalog.ts';
import type { Listed } from './listed.ts';

/** One list of a view, cut into pages that are made once and then only sent. */
export interface Pages {
  /** Content hash: every ingress with the same list has the same. */
  readonly version: string;
  /** JSON text of the result object. `cursor` undefined is the first page; throws InvalidCursor. */
  page(era: Era, cursor: string | undefined): Uint8Array;
}

export interface PageLimits {
  readonly items: number;
  readonly bytes: number;
}

/** Agents fetch page after page before they do anything, so pages are as large as agents and proxies stand. */
export const pageLimits: PageLimits = { items: 5_000, bytes: 4 * 1024 * 1024 };

const purpose = 'cursor';

export function createPages(
  kind: ListKind,
  items: readonly Listed[],
  sealer: Sealer,
  limits: PageLimits = pageLimits,
): Pages {
  const made = new Map<string, Uint8Array>();
  let version: string | undefined;
  const versionOf = (): string => {
    version ??= hashOf(items);
    return version;
  };
  let differs: boolean | undefined;
  /** Most lists are the same in both eras; then their pages are kept once. */
  const editionFor = (era: Era): Era => {
    differs ??= items.some((item) => item.text('legacy') !== item.text('modern'));
    return differs ? era : 'modern';
  };
  const make = (era: Era, offset: number): Uint8Array => {
    const texts: string[] = [];
    let bytes = 0;
    for (let at = offset; at < items.length && texts.length < limits.items; at += 1) {
      const text = items[at]?.text(era) ?? '';
      bytes += Buffer.byteLength(text) + 1;
      if (bytes > limits.bytes && texts.length > 0) break;
      texts.push(text);
    }
    const next = offset + texts.length;
    const cursor = next < items.length ? sealer.seal(purpose, { kind, version: versionOf(), offset: next }) : undefined;
    const tail = cursor === undefined ? '' : `,"nextCursor":"${cursor}"`;
    return Buffer.from(`{"${kind}":[${texts.join(',')}]${tail}}`);
  };
  return {
    get version() {
      return versionOf();
    },
    page(asked, cursor) {
      const era = editionFor(asked);
      const offset = cursor === undefined ? 0 : offsetOf(sealer.open(purpose, cursor), kind, versionOf(), items.length);
      const key = `${era}${offset}`;
      const page = made.get(key) ?? make(era, offset);
      made.set(key, page);
      return page;
    },
  };
}

function offsetOf(opened: JsonObject | undefined, kind: ListKind, version: string, length: number): number {
  if (!opened) throw new InvalidCursor('Invalid cursor');
  const { offset } = opened;
  const fits = opened.kind === kind && opened.version === version && typeof offset === 'number';
  if (!fits || !Number.isSafeInteger(offset) || offset <= 0 || offset >= length)
    throw new InvalidCursor('The list has changed since this cursor was made; begin again without one');
  return offset;
}

function hashOf(items: readonly Listed[]): string {
  const hash = createHash('sha256');
  for (const item of items) {
    const modern = item.text('modern');
    const legacy = item.text('legacy');
    hash.update(legacy === modern ? `${modern}\n` : `${modern}\t${legacy}\n`);
  }
  return hash.digest('base64url').slice(0, 22);
}
