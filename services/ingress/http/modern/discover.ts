import { metaKey } from '../../../../shared/mcp/meta.ts';
import { modernRevisions } from '../../../../shared/mcp/revisions.ts';
import type { View } from '../../catalog/catalog.ts';
import type { AgentReply } from '../../request.ts';

/** A change of the catalog changes the answer, and agents that do not listen for changes should see it soon. Milliseconds. */
const discoverTtlMs = 60_000;

export type Discover = (view: View) => Extract<AgentReply, { kind: 'result' }>;

/** Answers `server/discover` from a view; each view's text is made once. */
export function createDiscover(): Discover {
  const ready = new WeakMap<View, Extract<AgentReply, { kind: 'result' }>>();
  return (view) => {
    const known = ready.get(view);
    if (known !== undefined) return known;
    const body = JSON.stringify({
      supportedVersions: modernRevisions,
      capabilities: view.capabilities,
      instructions: view.instructions,
      _meta: { [metaKey.serverInfo]: view.serverInfo },
    });
    // What a principal may use decides the answer, so no cache may share it.
    const cache = { ttlMs: discoverTtlMs, scope: 'private' } as const;
    const reply = { kind: 'result', resultType: 'complete', body: Buffer.from(body), cache } as const;
    ready.set(view, reply);
    return reply;
  };
}
