import { isJsonObject, type JsonObject, type JsonValue } from '../../../shared/mcp/json.ts';
import { type RpcError, rpcCode } from '../../../shared/mcp/json-rpc.ts';

/**
 * URLs that a server wants an agent's user to open (elicitation in `url` mode). Toolbus opens none of them; it passes on what a browser can show the
 * host of.
 */

/** Why the questions of an `input_required` result may not reach an agent; undefined when they may. */
export function faultOfQuestions({ inputRequests }: JsonObject): string | undefined {
  if (!isJsonObject(inputRequests)) return undefined;
  for (const request of Object.values(inputRequests)) {
    if (!isJsonObject(request) || request.method !== 'elicitation/create') continue;
    const fault = faultOfElicitation(request.params);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** The same for the error by which a server of 2025-11-25 asks for a URL to be opened first. */
export function faultOfError({ code, data }: RpcError): string | undefined {
  if (code !== rpcCode.legacyUrlElicitationRequired || !isJsonObject(data)) return undefined;
  const { elicitations } = data;
  if (!Array.isArray(elicitations)) return undefined;
  return elicitations.map(faultOfElicitation).find((fault) => fault !== undefined);
}

function faultOfElicitation(params: JsonValue | undefined): string | undefined {
  if (!isJsonObject(params) || (params.url === undefined && params.mode !== 'url')) return undefined;
  return faultOfUrl(params.url);
}

function faultOfUrl(url: JsonValue | undefined): string | undefined {
  if (typeof url !== 'string' || !URL.canParse(url)) return 'it is no URL';
  const { protocol, username, password } = new URL(url);
  if (protocol !== 'https:' && protocol !== 'http:') return `its scheme is ${protocol.slice(0, 40)}`;
  if (username !== '' || password !== '') return 'it names a user before the host';
  return /[\\\s]/.test(url) ? 'it holds a backslash or a blank' : undefined;
}
