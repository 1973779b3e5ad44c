import { type IsSecretName, type RecordRule, secretNames } from '../../../shared/audit/redact.ts';
import type { Config } from '../../../shared/config/schema.ts';
import { anyOf, type Matcher } from '../policy/patterns.ts';

/** How the calls of one tool are recorded. */
export interface ToolRule {
  readonly arguments: RecordRule;
  readonly results: 'full' | 'digest' | 'none';
  readonly isSecret: IsSecretName;
  readonly inlineBytes: number;
}

/** Rules remembered by tool; names come from servers, so the memory is bounded. */
const maxRemembered = 10_000;

interface Exception {
  readonly matches: Matcher;
  readonly rule: ToolRule;
}

/**
 * The rules of the configuration in force: those of `audit`, or of the first pattern in `audit.tools` that matches `server__tool`. Names that
 * `audit.redact` lists are redacted by every rule; a tool's own list adds to it.
 */
export function createToolRules(config: () => Config, hmacKey: Uint8Array): (server: string, tool: string) => ToolRule {
  let current: Config['audit'] | undefined;
  let general: ToolRule;
  let exceptions: readonly Exception[] = [];
  const known = new Map<string, ToolRule>();

  function compile(audit: Config['audit']): void {
    current = audit;
    known.clear();
    const ruleOf = (own: Config['audit']['tools'][string] = {}): ToolRule => {
      const isSecret = secretNames([...audit.redact, ...(own.redact ?? [])]);
      const { inlineBytes } = audit;
      return {
        arguments: { mode: own.arguments ?? audit.arguments, isSecret, inlineBytes, hmacKey },
        results: own.results ?? audit.results,
        isSecret,
        inlineBytes,
      };
    };
    general = ruleOf();
    exceptions = Object.entries(audit.tools).map(([pattern, own]) => ({
      matches: anyOf([pattern]),
      rule: ruleOf(own),
    }));
  }

  return (server, tool) => {
    const { audit } = config();
    if (audit !== current) compile(audit);
    if (exceptions.length === 0) return general;
    const name = `${server}__${tool}`;
    let rule = known.get(name);
    if (rule === undefined) {
      rule = exceptions.find(({ matches }) => matches(name))?.rule ?? general;
      if (known.size >= maxRemembered) known.clear();
      known.set(name, rule);
    }
    return rule;
  };
}
