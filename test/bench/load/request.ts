import type { Era } from '../../../shared/mcp/revisions.ts';
import { blobText } from '../upstream/mcp.ts';
import { type Answer, jsonText } from './answer.ts';

/** Where requests go: the MCP endpoint of one server behind one target. */
export interface Endpoint {
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** A `tools/call` of one of the benchmark upstream's tools. */
export type Work =
  | { readonly tool: 'echo' }
  | { readonly tool: 'blob'; readonly bytes: number }
  | { readonly tool: 'sleep'; readonly ms: number };

const firstId = 1_000_000_000;
const echoBytes = 100;

/** A call that is sent again and again with another id each time: the bytes are made once and patched in place. */
export interface CallRequest {
  /** The bytes of the next call and the id in it. Valid until the next use; the socket has copied them by then or holds `Buffer`s of its own. */
  next(): { readonly bytes: Buffer; readonly id: number };
  /** What is wrong with the answer to that call; undefined when nothing is. */
  fault(answer: Answer, id: number): string | undefined;
}

export interface RequestMaker {
  call(work: Work): CallRequest;
  list(cursor?: string): Buffer;
  /** Bytes of `initialize` and of `notifications/initialized`, undefined in the modern era. */
  readonly opening: { readonly initialize: Buffer; readonly initialized: Buffer } | undefined;
}

/** Writes the requests of one agent to one endpoint. `session` is the legacy session id the endpoint gave, if any. */
export function createRequestMaker(endpoint: Endpoint, era: Era, session?: string): RequestMaker {
  const revision = era === 'modern' ? '2026-07-28' : '2025-11-25';
  const meta = {
    'io.modelcontextprotocol/protocolVersion': revision,
    'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1.0.0' },
    'io.modelcontextprotocol/clientCapabilities': {},
  };

  const request = (method: string, params: object, id: number | undefined, name?: string): Buffer => {
    const body = JSON.stringify({
      jsonrpc: '2.0',
      ...(id === undefined ? {} : { id }),
      method,
      params: era === 'modern' ? { ...params, _meta: meta } : params,
    });
    const headers: Record<string, string> = {
      Host: `127.0.0.1:${endpoint.port}`,
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
      'Content-Length': String(Buffer.byteLength(body)),
      ...endpoint.headers,
      ...(method === 'initialize' ? {} : { 'MCP-Protocol-Version': revision }),
      ...(era === 'modern' ? { 'Mcp-Method': method } : {}),
      ...(era === 'modern' && name !== undefined ? { 'Mcp-Name': name } : {}),
      ...(session === undefined ? {} : { 'Mcp-Session-Id': session }),
    };
    const lines = Object.entries(headers).map(([key, value]) => `${key}: ${value}\r\n`);
    return Buffer.from(`POST ${endpoint.path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`);
  };

  const initialize = {
    protocolVersion: revision,
    capabilities: {},
    clientInfo: { name: 'bench', version: '1.0.0' },
  };

  return {
    opening:
      era === 'modern'
        ? undefined
        : {
            initialize: request('initialize', initialize, 1),
            initialized: request('notifications/initialized', {}, undefined),
          },
    list: (cursor) => request('tools/list', cursor === undefined ? {} : { cursor }, 2),
    call(work) {
      const args = argumentsOf(work);
      const template = request('tools/call', { name: work.tool, arguments: args }, firstId, work.tool);
      return patchedCall(template, work);
    },
  };
}

function argumentsOf(work: Work): object {
  switch (work.tool) {
    case 'echo':
      return { text: String(firstId).padEnd(echoBytes, '.') };
    case 'blob':
      return { bytes: work.bytes };
    case 'sleep':
      return { ms: work.ms, text: String(firstId) };
  }
}

function patchedCall(template: Buffer, work: Work): CallRequest {
  const idAt = template.indexOf(`"id":${firstId}`) + 5;
  const textAt = template.indexOf(`"text":"${firstId}`);
  const blob = work.tool === 'blob' ? Buffer.from(blobText(work.bytes)) : undefined;
  let id = firstId;
  return {
    next() {
      id++;
      // A copy, because the socket may still hold the bytes of the call before.
      const bytes = Buffer.from(template);
      bytes.write(String(id), idAt, 'latin1');
      if (textAt >= 0) bytes.write(String(id), textAt + 8, 'latin1');
      return { bytes, id };
    },
    fault(answer, sent) {
      if (answer.status !== 200) return `HTTP ${answer.status}: ${answer.body.toString('utf8', 0, 200)}`;
      const text = jsonText(answer);
      if (!holds(text, `"id":${sent}`)) return `no id ${sent} in ${text.toString('utf8', 0, 200)}`;
      const start = text.indexOf('"text":"') + 8;
      if (start < 8) return `no text in ${text.toString('utf8', 0, 200)}`;
      if (blob !== undefined) {
        return text.compare(blob, 0, blob.length, start, start + blob.length) === 0 ? undefined : 'the text differs';
      }
      return text.toString('latin1', start, start + 10) === String(sent) ? undefined : 'the text is of another call';
    },
  };
}

/** Whether the text holds the needle; looks at both ends first, where envelopes keep their ids. */
function holds(text: Buffer, needle: string): boolean {
  if (text.length <= 1024) return text.includes(needle, 0, 'latin1');
  return (
    text.subarray(0, 256).includes(needle, 0, 'latin1') ||
    text.subarray(-256).includes(needle, 0, 'latin1') ||
    text.includes(needle, 0, 'latin1')
  );
}
