import { isJsonObject } from '../../../shared/mcp/json.ts';
import { metaKey } from '../../../shared/mcp/meta.ts';
import { type Era, latestModern } from '../../../shared/mcp/revisions.ts';
import { shapeOf } from './json-rpc-shape.ts';

export type Classified = { readonly era: Era } | { readonly era: 'invalid'; readonly why: string };

const modern: Classified = { era: 'modern' };
const legacy: Classified = { era: 'legacy' };

/**
 * The era of one POST, decided once. The body decides (a claim in `params._meta`), because a proxy may strip headers; the
 * header decides where the body is silent. `initialize` without a modern claim opens a legacy session whatever its header says,
 * unless that names a modern revision: then the modern edge says what is wrong. Arrays are batches of 2025-03-26.
 * Same outcomes as `classifyInboundRequest` of @modelcontextprotocol/server.
 */
export function classify(body: unknown, versionHeader: string | undefined): Classified {
  if (Array.isArray(body)) return classifyBatch(body);
  const message = shapeOf(body);
  if (message.kind === 'invalid') return { era: 'invalid', why: message.why };
  if (message.kind !== 'response' && claimsRevision(message.params)) return modern;
  return namesModern(versionHeader) ? modern : legacy;
}

/** True for a header that names 2026-07-28 or anything later: revisions are dates, so the order of the text is theirs. */
export function namesModern(versionHeader: string | undefined): boolean {
  return versionHeader !== undefined && versionHeader >= latestModern;
}

function classifyBatch(batch: readonly unknown[]): Classified {
  if (batch.length === 0) return { era: 'invalid', why: 'the batch is empty' };
  for (const element of batch) {
    const message = shapeOf(element);
    if (message.kind === 'invalid') return { era: 'invalid', why: `in the batch: ${message.why}` };
    if (message.kind !== 'response' && claimsRevision(message.params)) {
      return { era: 'invalid', why: `revision ${latestModern} has no batches` };
    }
  }
  return legacy;
}

function claimsRevision(params: unknown): boolean {
  const meta = isJsonObject(params) ? params['_meta'] : undefined;
  return isJsonObject(meta) && Object.hasOwn(meta, metaKey.protocolVersion);
}
