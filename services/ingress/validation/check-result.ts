import type { Config } from '../../../shared/config/schema.ts';
import { GatewayError } from '../../../shared/errors.ts';
import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import type { Target } from '../catalog/catalog.ts';
import { measure } from './measure.ts';
import { problemLines } from './problems.ts';
import type { Validators } from './validators.ts';

/** Larger results are not parsed for this. */
const maxBytes = 1024 * 1024;

/** Looks at a complete result of a tool that did not fail. Throws `bad_upstream_output` where the operator wants such results refused. */
export type CheckResult = (tool: Target, body: Uint8Array | string) => Promise<void>;

export interface CheckResultOptions {
  readonly validators: Validators;
  config(): Config;
  onMismatch(tool: Target, problems: readonly string[]): void;
}

/** True when results of that tool are checked at all; to be asked first, so that the usual call costs nothing. */
export function checksResults(tool: Target, { servers }: Config): boolean {
  const own = Object.hasOwn(servers, tool.server) ? servers[tool.server] : undefined;
  return own !== undefined && own.validation.results !== 'off' && isJsonObject(tool.definition?.outputSchema);
}

/** Structured content against the tool's output schema (2026-07-28, server/tools: servers MUST conform). */
export function createCheckResult({ validators, config, onMismatch }: CheckResultOptions): CheckResult {
  return async (tool, body) => {
    const schema = tool.definition?.outputSchema;
    if (!checksResults(tool, config()) || !isJsonObject(schema)) return;
    const refuses = config().servers[tool.server]?.validation.results === 'refuse';
    const problems = await problemsOf(schema, body, validators);
    if (problems.length === 0) return;
    onMismatch(tool, problems);
    if (!refuses) return;
    throw new GatewayError(
      'bad_upstream_output',
      `The result does not fit the output schema of the tool: ${problems[0]}`,
      {
        executed: 'yes',
      },
    );
  };
}

async function problemsOf(schema: JsonObject, body: Uint8Array | string, validators: Validators): Promise<string[]> {
  if (body.length > maxBytes) return [`it is larger than ${maxBytes} bytes, so it was not checked`];
  const result: unknown = JSON.parse(typeof body === 'string' ? body : Buffer.from(body).toString('utf8'));
  const content = isJsonObject(result) ? result.structuredContent : undefined;
  if (content === undefined) return ['there is no structuredContent'];
  const made = await validators.of(schema);
  if (!made.ok) return [];
  const verdict = await made.validator.check(content, measure(content));
  if (verdict.kind === 'invalid') return problemLines(verdict.problems);
  return verdict.kind === 'slow' ? ['it takes too long to check'] : [];
}
