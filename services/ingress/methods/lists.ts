import { eraOf } from '../../../shared/mcp/revisions.ts';
import { InvalidCursor, type ListKind } from '../catalog/catalog.ts';
import type { Method } from './method.ts';
import { invalidParams } from './refusals.ts';

/** One of the four lists, from memory. */
export function listMethod(kind: ListKind): Method {
  return ({ params, agent }, view) => {
    const { cursor } = params;
    if (cursor !== undefined && typeof cursor !== 'string') return invalidParams('cursor must be a string');
    try {
      const { body, cache } = view.list(kind, eraOf(agent.protocolVersion) ?? 'legacy', cursor);
      return { kind: 'result', resultType: 'complete', body, cache };
    } catch (error) {
      if (error instanceof InvalidCursor) return invalidParams(error.message);
      throw error;
    }
  };
}
