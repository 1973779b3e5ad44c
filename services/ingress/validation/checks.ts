import type { Config } from '../../../shared/config/schema.ts';
import type { Logger } from '../../../shared/log.ts';
import { isJsonObject } from '../../../shared/mcp/json.ts';
import type { Target } from '../catalog/catalog.ts';
import { cleanText } from '../catalog/clean-text.ts';
import { type CheckCall, createCheckCall } from './check-call.ts';
import { type CheckResult, createCheckResult } from './check-result.ts';
import { createValidationThread } from './thread.ts';
import { createValidators } from './validators.ts';

/** Everything that is checked of a call besides who makes it. */
export interface Checks {
  readonly call: CheckCall;
  readonly result: CheckResult;
  /** Compiles the schemas of these tools, so that those that cannot be used are known before somebody calls them. */
  vet(tools: readonly Target[]): Promise<void>;
  /** Starts the thread, so that the first call does not wait for it. */
  warm(): void;
  /** Calls that were refused since the start. */
  readonly refused: Readonly<Record<'schema' | 'rule', number>>;
  /** Times that the thread was ended because something took too long. */
  readonly overruns: number;
  close(): Promise<void>;
}

export interface ChecksOptions {
  readonly log: Logger;
  /** The configuration in force now. */
  config(): Config;
  /** A tool cannot be used; false where that was known. */
  onUnusable(tool: Target, why: string): boolean;
}

const anything = { type: 'object', maxProperties: 1_000_000 };

export function createChecks({ log, config, onUnusable }: ChecksOptions): Checks {
  const thread = createValidationThread((error) => log.error({ err: error }, 'the validation thread ended'));
  const validators = createValidators(thread);
  const refused = { schema: 0, rule: 0 };
  const nameOf = ({ server, target }: Target) => ({ server, tool: cleanText(target).slice(0, 128) });

  const condemn = (tool: Target, why: string): void => {
    if (onUnusable(tool, `its schema cannot be used: ${cleanText(why)}`))
      log.warn({ ...nameOf(tool), why: cleanText(why) }, 'a tool is kept from agents: its schema cannot be used');
  };
  const check = createCheckCall({
    validators,
    thread,
    config,
    onUnusable: condemn,
    onUnenforced: (tool, patterns) =>
      log.warn(
        { ...nameOf(tool), patterns: patterns.length },
        'patterns of a schema are not enforced: RE2 does not know them',
      ),
  });
  return {
    call(tool, name, args) {
      const objection = check(tool, name, args);
      if (objection === undefined) return undefined;
      if (objection instanceof Promise) return objection.then(counted);
      return counted(objection);
    },
    result: createCheckResult({
      validators,
      config,
      onMismatch: (tool, problems) =>
        log.warn({ ...nameOf(tool), problems: problems.length }, 'a result does not fit the output schema of its tool'),
    }),
    async vet(tools) {
      for (const tool of tools) {
        for (const schema of [tool.definition?.inputSchema, tool.definition?.outputSchema]) {
          if (!isJsonObject(schema)) continue;
          const made = await validators.of(schema);
          const { servers } = config();
          const own = Object.hasOwn(servers, tool.server) ? servers[tool.server] : undefined;
          const strict = own?.validation.unsupportedPatterns === 'quarantine';
          if (!made.ok) condemn(tool, made.why);
          else if (strict && made.validator.unenforced.length > 0)
            condemn(tool, 'it has a pattern that RE2 does not know');
        }
      }
    },
    warm: () => void Promise.resolve(validators.of(anything)).catch(() => undefined),
    get refused() {
      return refused;
    },
    get overruns() {
      return thread.overruns;
    },
    close: thread.close,
  };

  function counted(objection: Awaited<ReturnType<CheckCall>>): Awaited<ReturnType<CheckCall>> {
    if (objection?.kind === 'refused') refused[objection.by] += 1;
    return objection;
  }
}
