import { exitCode } from '../../../shared/errors.ts';
import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import { metaKey } from '../../../shared/mcp/meta.ts';
import { latestModern } from '../../../shared/mcp/revisions.ts';
import { toolbusVersion } from '../../../shared/version.ts';
import type { Step } from './step.ts';

export interface AuthOptions {
  /** Endpoint of an ingress; undefined: none is known here. */
  readonly url: string | undefined;
  readonly key: string | undefined;
  /** Whether the key's agent may use this server; absent: anything at all. */
  readonly server?: string | undefined;
}

const patienceMs = 10_000;

/** Knocks at an ingress as an agent does, and asks for its tools. */
export async function examineAuth({ url, key, server }: AuthOptions): Promise<Step> {
  const found = (step: Omit<Step, 'step' | 'server'>): Step => ({ step: 'auth', server, ...step });
  if (url === undefined) {
    return found({
      status: 'skipped',
      detail: 'no ingress is known here',
      hint: 'give its endpoint: --url http://…/mcp',
    });
  }
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    return found({ status: 'failed', detail: '--url must begin with http:// or https://', code: exitCode.usage });
  }
  const endpoint = server === undefined ? url : `${url.replace(/\/$/, '')}/${encodeURIComponent(server)}`;
  let answer: Answer;
  try {
    answer = await listTools(endpoint, key);
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const why = cause instanceof Error ? cause.message : String(cause);
    return found({
      status: 'failed',
      detail: `no ingress answers at ${url}: ${why}`,
      hint: 'is it running, and is that its endpoint?',
      code: exitCode.unreachable,
    });
  }
  const { status, message, tools } = answer;
  if (status === 401 && key === undefined) {
    return found({
      status: 'skipped',
      detail: `${url} asks for a key`,
      hint: 'give one to try: TOOLBUS_API_KEY, or --key KEY',
    });
  }
  if (status === 401) {
    return found({
      status: 'failed',
      detail: `${url} does not take this key (HTTP 401)`,
      hint: 'compare `toolbus keys hash` of it with agents.*.keys; has it expired?',
      code: exitCode.unauthorized,
    });
  }
  if (status === 403) {
    return found({
      status: 'failed',
      detail: `HTTP 403: ${message}`,
      hint: 'toolbus block lists blocked agents; access.* and agents.*.ips say who may come from where',
      code: exitCode.unauthorized,
    });
  }
  if (status === 404 && server !== undefined) {
    return found({
      status: 'failed',
      detail: `this agent may use nothing of ${server} (HTTP 404)`,
      hint: 'agents.*.allow and deny say what; `toolbus tools ls --agent NAME --all` shows why',
      code: exitCode.unauthorized,
    });
  }
  if (status !== 200 || tools === undefined) {
    const hint = 'is this the endpoint of a toolbus?';
    return found({ status: 'failed', detail: `HTTP ${status}: ${message}`, hint, code: exitCode.unreachable });
  }
  const who = key === undefined ? 'no key is needed' : 'the key is good';
  return found({
    status: 'ok',
    detail: `${who}: ${tools} ${tools === 1 ? 'tool' : 'tools'} on the first page at ${endpoint}`,
  });
}

interface Answer {
  readonly status: number;
  readonly message: string;
  readonly tools: number | undefined;
}

async function listTools(endpoint: string, key: string | undefined): Promise<Answer> {
  const _meta = {
    [metaKey.protocolVersion]: latestModern,
    [metaKey.clientCapabilities]: {},
    [metaKey.clientInfo]: { name: 'toolbus-doctor', version: toolbusVersion() },
  };
  const response = await fetch(endpoint, {
    method: 'POST',
    redirect: 'error',
    signal: AbortSignal.timeout(patienceMs),
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': latestModern,
      'mcp-method': 'tools/list',
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta } }),
  });
  const body = parse(await response.text());
  const error = body['error'];
  const result = body['result'];
  const tools = isJsonObject(result) ? result['tools'] : undefined;
  return {
    status: response.status,
    message: isJsonObject(error) && typeof error['message'] === 'string' ? error['message'] : 'no explanation',
    tools: Array.isArray(tools) ? tools.length : undefined,
  };
}

function parse(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : {};
  } catch {
    return {};
  }
}
