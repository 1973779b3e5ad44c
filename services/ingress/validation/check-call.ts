import type { Config } from '../../../shared/config/schema.ts';
import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import type { Target } from '../catalog/catalog.ts';
import { type Measure, measure } from './measure.ts';
import { problemLines, refusalText } from './problems.ts';
import { judge } from './rules/judge.ts';
import { createToolRules, type ToolRules } from './rules/tool-rules.ts';
import type { ValidationThread } from './thread.ts';
import {
  acceptsAll,
  loopBudget,
  type Made,
  patternCharacter,
  unavailable,
  type Validators,
  type Verdict,
} from './validators.ts';

/** Why a call goes no further. */
export type Objection =
  /** For the agent's model to read, as a result with `isError`. */
  | { readonly kind: 'refused'; readonly by: 'schema' | 'rule'; readonly text: string }
  /** The tool turned out to be unusable; it is as if it did not exist. */
  | { readonly kind: 'withheld' };

/** Looks at the arguments of a call before anything is sent. Undefined: nothing against it. */
export type CheckCall = (
  tool: Target,
  name: string,
  args: JsonObject,
) => Objection | undefined | Promise<Objection | undefined>;

export interface CheckCallOptions {
  readonly validators: Validators;
  readonly thread: ValidationThread;
  /** The configuration in force now. */
  config(): Config;
  /** A tool's schema cannot be used; what the catalog offers changes. */
  onUnusable(tool: Target, why: string): void;
  /** A tool's schema was used for the first time and has patterns that are not enforced. */
  onUnenforced(tool: Target, patterns: readonly string[]): void;
}

const rulesMs = 1_000;

/**
 * Numbers first, then the tool's schema, then the operator's rules. Stays synchronous where the schema is compiled and arguments and schema are
 * small: the usual call costs one look-up and one run of a compiled validator. Throws GatewayError when the thread cannot take more.
 */
export function createCheckCall(options: CheckCallOptions): CheckCall {
  const { validators, thread, config, onUnusable, onUnenforced } = options;
  const rulesOf = createToolRules();
  const accepting = new WeakMap<JsonObject, boolean>();
  const reported = new WeakSet<JsonObject>();

  const schemaOf = ({ definition }: Target): JsonObject | undefined => {
    const schema = definition?.inputSchema;
    if (!isJsonObject(schema)) return undefined;
    const accepts = accepting.get(schema) ?? acceptsAll(schema);
    accepting.set(schema, accepts);
    return accepts ? undefined : schema;
  };

  const withMade = (tool: Target, name: string, args: JsonObject, size: Measure, made: Made) => {
    if (!made.ok) return unusable(tool, made.why);
    const { validator } = made;
    if (validator.unenforced.length > 0) {
      const strict = serverConfig(config(), tool.server)?.validation.unsupportedPatterns === 'quarantine';
      if (strict) return unusable(tool, 'it has a pattern that RE2 does not know');
      const { definition } = tool;
      if (definition !== undefined && !reported.has(definition)) {
        reported.add(definition);
        onUnenforced(tool, validator.unenforced);
      }
    }
    const verdict = validator.check(args, size);
    return verdict instanceof Promise ? verdict.then((it) => said(tool, name, it)) : said(tool, name, verdict);
  };
  const unusable = (tool: Target, why: string): Objection => {
    onUnusable(tool, why);
    return { kind: 'withheld' };
  };
  const said = (tool: Target, name: string, verdict: Verdict): Objection | undefined => {
    switch (verdict.kind) {
      case 'valid':
        return undefined;
      case 'invalid':
        return invalid(name, problemLines(verdict.problems));
      case 'slow':
        return invalid(name, ['the arguments take too long to check; make them smaller']);
      case 'unusable':
        return unusable(tool, verdict.why);
      default:
        return verdict satisfies never;
    }
  };

  const bySchema = (tool: Target, name: string, args: JsonObject, size: Measure) => {
    if (serverConfig(config(), tool.server)?.validation.arguments === false) return undefined;
    const schema = schemaOf(tool);
    if (schema === undefined) return undefined;
    const made = validators.of(schema);
    return made instanceof Promise
      ? made.then((ready) => withMade(tool, name, args, size, ready))
      : withMade(tool, name, args, size, made);
  };
  const byRules = (rules: ToolRules, name: string, args: JsonObject, size: Measure) => {
    const cost = size.characters * (1 + rules.patterns * patternCharacter) + size.values * rules.specs.length;
    if (cost <= loopBudget) return broken(name, judge(rules.compiled(), args));
    return thread.run({ kind: 'rules', rules: rules.specs, value: args }, rulesMs).then((outcome) => {
      if (outcome.kind === 'judged') return broken(name, outcome.violations);
      if (outcome.kind === 'overrun') return broken(name, ['the arguments take too long to check; make them smaller']);
      throw unavailable(outcome.kind);
    });
  };

  return (tool, name, args) => {
    const size = measure(args);
    if (size.unsafe.length > 0) {
      const why = 'is an integer beyond 2^53, which not every reader keeps; send it as text';
      return invalid(
        name,
        size.unsafe.map((pointer) => `${pointer}: ${why}`),
      );
    }
    const schema = bySchema(tool, name, args, size);
    const rules = rulesOf(serverConfig(config(), tool.server), tool.target);
    if (rules === undefined) return schema;
    if (schema instanceof Promise) return schema.then((objection) => objection ?? byRules(rules, name, args, size));
    return schema ?? byRules(rules, name, args, size);
  };
}

function serverConfig({ servers }: Config, server: string): Config['servers'][string] | undefined {
  return Object.hasOwn(servers, server) ? servers[server] : undefined;
}

function invalid(name: string, lines: readonly string[]): Objection {
  const text = refusalText(`Invalid arguments for ${name}; the tool was not called.`, lines);
  return { kind: 'refused', by: 'schema', text };
}

function broken(name: string, violations: readonly string[]): Objection | undefined {
  if (violations.length === 0) return undefined;
  const text = refusalText(
    `The rules of this gateway do not allow these arguments for ${name}; the tool was not called.`,
    violations,
  );
  return { kind: 'refused', by: 'rule', text };
}
