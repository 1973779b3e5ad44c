import { ignoredFor } from '../../../shared/audit/ignore-rules.ts';
import { type Difference, diffJson } from '../../../shared/audit/json-diff.ts';
import { replayMetaKey } from '../../../shared/audit/meta.ts';
import type { Config } from '../../../shared/config/schema.ts';
import { GatewayError } from '../../../shared/errors.ts';
import { createCallId } from '../../../shared/ids.ts';
import type { Principal } from '../../../shared/mcp/call.ts';
import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import type { Audit } from '../audit/audit.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { anyOf } from '../policy/patterns.ts';
import type { AgentReply, AgentRequest, Handle } from '../request.ts';

/**
 * Copies of live calls for another server (`servers.X.shadow`): made when the agent has its answer, so that they delay nobody, and only of
 * tools that call themselves read-only. Both calls stand in the audit, and what differs between their answers in an event.
 */
export interface ShadowDeps {
  config(): Config;
  readonly catalog: Pick<Catalog, 'manifest'>;
  readonly audit: Pick<Audit, 'event'>;
  /** From 0 up to 1. */
  random?(): number;
  /** How a copy ended. */
  onCopy?(server: string, verdict: ShadowVerdict): void;
}

export type ShadowVerdict = 'same' | 'different' | 'failed' | 'dropped';

const principal: Principal = { id: 'shadow', method: 'none' };
/** Copies on their way at the same time; the rest is dropped and counted. */
const mostCopies = 16;
/** Larger answers are not compared. */
const comparedBytes = 512 * 1024;
/** Differences that one event names. */
const namedDifferences = 20;
const namedBytes = 256;

/** `handle`, with a copy of some of the calls behind it. */
export function withShadow(handle: Handle, deps: ShadowDeps): Handle {
  const { config, catalog, audit, random = Math.random } = deps;
  let running = 0;

  async function copy(request: AgentRequest, reply: ResultReply, source: Source, to: string): Promise<ShadowVerdict> {
    const { callId, params } = request;
    const before = parse(reply.body);
    const answer = await handle({
      ...request,
      callId: createCallId(),
      params: {
        name: source.tool,
        ...(params.arguments !== undefined && { arguments: params.arguments }),
        _meta: { [replayMetaKey]: { run: `shadow ${source.server}=${to}`, of: callId } },
      },
      endpoint: { kind: 'server', name: to },
      principal,
      wantsProgress: false,
      headers: {},
      signal: new AbortController().signal,
      receivedAt: performance.now(),
      onNotification: () => undefined,
    });
    const differences = differencesOf(before, reply, answer, ignoredFor(config().audit.replay.ignore, source));
    if (differences.length === 0) return 'same';
    const named = differences.slice(0, namedDifferences).map(({ path, before: old, after }) => ({
      path,
      before: shortened(old),
      after: shortened(after),
    }));
    audit.event('shadow', {
      ...source,
      to,
      of: callId,
      verdict: 'different',
      count: differences.length,
      differences: named,
    });
    return 'different';
  }

  function consider(request: AgentRequest, reply: AgentReply): void {
    if (reply.kind !== 'result' || reply.source === undefined || reply.resultType !== 'complete') return;
    if (reply.refused !== undefined || request.principal === principal) return;
    const { source } = reply;
    const { servers } = config();
    const shadow = Object.hasOwn(servers, source.server) ? servers[source.server]?.shadow : undefined;
    if (shadow === undefined || random() * 100 >= shadow.percent || !anyOf(shadow.tools)(source.tool)) return;
    if (!isReadOnly(catalog, source)) return;
    if (running >= mostCopies) {
      deps.onCopy?.(source.server, 'dropped');
      return;
    }
    running += 1;
    // After the answer is on its way.
    setImmediate(() => {
      copy(request, reply, source, shadow.to)
        .catch((error: unknown): ShadowVerdict => {
          const reason = error instanceof GatewayError ? error.reason : 'failed';
          audit.event('shadow', { ...source, to: shadow.to, of: request.callId, verdict: 'failed', reason });
          return 'failed';
        })
        .then((verdict) => {
          running -= 1;
          deps.onCopy?.(source.server, verdict);
        });
    });
  }

  return async (request) => {
    const reply = await handle(request);
    consider(request, reply);
    return reply;
  };
}

type ResultReply = Extract<AgentReply, { kind: 'result' }>;
type Source = NonNullable<ResultReply['source']>;

function isReadOnly(catalog: ShadowDeps['catalog'], { server, tool }: Source): boolean {
  const definition = catalog.manifest(server)?.tools.find(({ name }) => name === tool);
  const hints = definition?.['annotations'];
  return isJsonObject(hints) && hints['readOnlyHint'] === true;
}

function differencesOf(
  before: JsonObject | undefined,
  reply: ResultReply,
  answer: AgentReply,
  ignore: readonly string[],
): readonly Difference[] {
  const ended = (one: AgentReply) =>
    one.kind === 'error'
      ? `error ${one.error.code}`
      : one.resultType !== 'complete'
        ? one.resultType
        : one.isError === true
          ? 'tool_error'
          : 'ok';
  if (answer.kind === 'result') answer.held?.abandon();
  if (ended(reply) !== ended(answer)) return [{ path: '', before: ended(reply), after: ended(answer) }];
  const after = answer.kind === 'result' ? parse(answer.body) : undefined;
  return before === undefined || after === undefined ? [] : diffJson(before, after, ignore);
}

function parse(body: Uint8Array | string): JsonObject | undefined {
  if (body.length > comparedBytes) return undefined;
  const text =
    typeof body === 'string' ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  const value: unknown = JSON.parse(text);
  return isJsonObject(value) ? value : undefined;
}

/** What differs is an answer's content: enough to see what it is, not a second copy of it. */
function shortened(value: Difference['before']): string | null {
  if (value === undefined) return null;
  const text = JSON.stringify(value);
  return text.length <= namedBytes ? text : `${text.slice(0, namedBytes)}…`;
}
