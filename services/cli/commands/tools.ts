import { exitCode, GatewayError, OperatorError } from '../../../shared/errors.ts';
import { createCallId } from '../../../shared/ids.ts';
import type { Principal } from '../../../shared/mcp/call.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../shared/mcp/json.ts';
import { rpcCode } from '../../../shared/mcp/json-rpc.ts';
import { latestLegacy } from '../../../shared/mcp/revisions.ts';
import type { AgentReply, Handle } from '../../ingress/request.ts';
import type { CommonFlags } from '../flags.ts';
import { table } from '../output/table.ts';
import { pinOf } from './tools-approve.ts';
import { withCore } from './with-core.ts';

/** Whoever may read the bus' credentials on this machine operates it. */
const operator: Principal = { id: 'operator', method: 'none' };

/** `toolbus tools ls` */
export async function runToolsList(
  flags: CommonFlags & { agent?: string; server?: string; all?: boolean },
): Promise<number> {
  await withCore(flags, async ({ catalog, checks }, config) => {
    // What only shows when a schema is compiled is known here as at an ingress that was called.
    if (flags.all === true) for (const server of Object.keys(config.servers)) await checks.vet(catalog.tools(server));
    const rows = catalog.describe({ agent: flags.agent, server: flags.server, all: flags.all });
    if (flags.json === true) {
      process.stdout.write(`${JSON.stringify({ tools: rows })}\n`);
      return;
    }
    const header = ['tool', 'status', 'bytes', flags.all === true ? 'why' : 'description'];
    const body = rows.map((row) => [
      row.name,
      row.status,
      String(row.bytes),
      flags.all === true ? (row.reason ?? '') : shorten(row.description),
    ]);
    process.stdout.write(`${table([header, ...body])}\n`);
  });
  return exitCode.ok;
}

/** `toolbus tools inspect TOOL`; exit code 5 when there is none of that name. */
export async function runToolsInspect(tool: string, flags: CommonFlags): Promise<number> {
  return withCore(flags, async (core, config) => {
    const { catalog } = core;
    const row = catalog.describe({ all: true }).find(({ name }) => name === tool);
    if (row === undefined) throw unknownTool(tool);
    const definition = catalog.manifest(row.server)?.tools.find(({ name }) => name === row.tool) ?? {};
    process.stdout.write(
      `${JSON.stringify({ ...row, pin: pinOf(core, config, row.server, row.tool), definition }, undefined, flags.json === true ? undefined : 2)}\n`,
    );
    return exitCode.ok;
  });
}

/** `toolbus tools call TOOL [JSON] [key=value…]`; exit code 5 when the tool fails, 4 when nothing can take the call. */
export async function runToolsCall(tool: string, words: readonly string[], flags: CommonFlags): Promise<number> {
  const args = readArguments(words);
  return withCore(
    flags,
    async ({ handle }) => {
      const reply = await callTool(tool, args, handle).catch((error: unknown) => {
        throw error instanceof GatewayError ? asOperatorError(error) : error;
      });
      if (reply.kind === 'error') {
        if (reply.error.code === rpcCode.invalidParams && reply.error.message.startsWith('Unknown tool'))
          throw unknownTool(tool);
        throw new OperatorError(exitCode.toolFailed, `${reply.error.message} (${reply.error.code})`);
      }
      const result: unknown = JSON.parse(
        typeof reply.body === 'string' ? reply.body : Buffer.from(reply.body).toString('utf8'),
      );
      if (!isJsonObject(result)) throw new OperatorError(exitCode.toolFailed, 'the tool answered no object');
      process.stdout.write(flags.json === true ? `${JSON.stringify(result)}\n` : `${showResult(result)}\n`);
      return result['isError'] === true ? exitCode.toolFailed : exitCode.ok;
    },
    { makesCalls: true },
  );
}

function callTool(tool: string, args: JsonObject, handle: Handle): Promise<AgentReply> {
  return handle({
    callId: createCallId(),
    method: 'tools/call',
    params: { name: tool, arguments: args },
    endpoint: { kind: 'all' },
    principal: operator,
    agent: { protocolVersion: latestLegacy, capabilities: {}, clientInfo: { name: 'toolbus-cli', version: '0' } },
    wantsProgress: true,
    clientAddress: '127.0.0.1',
    headers: {},
    signal: new AbortController().signal,
    receivedAt: performance.now(),
    onNotification: ({ method, params }) => process.stderr.write(`${method} ${JSON.stringify(params)}\n`),
  });
}

/** A JSON object first, if any; then key=value pairs, whose values are JSON where they parse and text where they do not. */
export function readArguments(words: readonly string[]): JsonObject {
  const args: JsonObject = {};
  words.forEach((word, at) => {
    const equals = word.indexOf('=');
    if (at === 0 && word.trimStart().startsWith('{')) {
      const parsed = parseJson(word);
      if (!isJsonObject(parsed)) throw usage('the arguments are not a JSON object');
      Object.assign(args, parsed);
    } else if (equals > 0) {
      const text = word.slice(equals + 1);
      args[word.slice(0, equals)] = parseJson(text) ?? text;
    } else {
      throw usage(`not a JSON object and not key=value: ${word}`);
    }
  });
  return args;
}

function parseJson(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}

function showResult(result: JsonObject): string {
  const content = Array.isArray(result['content']) ? result['content'] : [];
  const lines = content.map((block) =>
    isJsonObject(block) && block['type'] === 'text' ? String(block['text']) : JSON.stringify(block),
  );
  return lines.length > 0 ? lines.join('\n') : JSON.stringify(result, undefined, 2);
}

function shorten(text: string): string {
  const line = text.split('\n', 1)[0] ?? '';
  return line.length > 80 ? `${line.slice(0, 79)}…` : line;
}

function usage(message: string): OperatorError {
  return new OperatorError(exitCode.usage, message, {
    hint: `for example: toolbus tools call server__tool '{"text":"hi"}' count=2`,
  });
}

function unknownTool(tool: string): OperatorError {
  return new OperatorError(exitCode.toolFailed, `no tool is called ${JSON.stringify(tool)}`, {
    hint: '`toolbus tools ls --all` lists them, hidden ones too',
  });
}

function asOperatorError(error: GatewayError): OperatorError {
  const unreachable = error.executed === 'no';
  return new OperatorError(
    unreachable ? exitCode.unreachable : exitCode.toolFailed,
    `${error.message} (${error.reason})`,
    {
      cause: error,
      hint: unreachable ? '`toolbus servers` says how the workers are' : `whether the tool ran: ${error.executed}`,
    },
  );
}
