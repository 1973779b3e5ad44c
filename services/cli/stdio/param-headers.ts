import { isJsonObject, type JsonValue } from '../../../shared/mcp/json.ts';
import {
  argumentAt,
  encodeHeaderValue,
  type HeaderParam,
  headerText,
  mcpHeader,
  scanHeaderParams,
} from '../../../shared/mcp/mcp-headers.ts';

/** Arguments that tools want mirrored into `Mcp-Param-*`: learned from the tool lists that pass through. */
export interface ParamHeaders {
  /** Looks at a response to `tools/list`; returns the cursor of the next page. */
  learn(text: string): string | undefined;
  of(tool: string, args: JsonValue | undefined): Record<string, string>;
}

const maxTools = 10_000;

export function createParamHeaders(): ParamHeaders {
  const known = new Map<string, readonly HeaderParam[]>();
  return {
    learn(text) {
      const result = resultIn(text);
      if (!isJsonObject(result)) return undefined;
      const { tools, nextCursor } = result;
      for (const tool of Array.isArray(tools) ? tools : []) {
        if (!isJsonObject(tool) || typeof tool['name'] !== 'string') continue;
        const scan = scanHeaderParams(tool['inputSchema']);
        known.delete(tool['name']);
        if (scan.ok && scan.params.length > 0 && known.size < maxTools) known.set(tool['name'], scan.params);
      }
      return typeof nextCursor === 'string' ? nextCursor : undefined;
    },
    of(tool, args) {
      const headers: Record<string, string> = {};
      for (const { header, path } of known.get(tool) ?? []) {
        const value = headerText(argumentAt(args, path));
        if (value !== undefined) headers[mcpHeader.paramPrefix + header.toLowerCase()] = encodeHeaderValue(value);
      }
      return headers;
    },
  };
}

function resultIn(text: string): unknown {
  try {
    const message: unknown = JSON.parse(text);
    return isJsonObject(message) ? message['result'] : undefined;
  } catch {
    return undefined;
  }
}
