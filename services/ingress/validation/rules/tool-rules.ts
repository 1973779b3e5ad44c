import type { ServerConfig } from '../../../../shared/config/schema.ts';
import { anyOf } from '../../policy/patterns.ts';
import { compileRules, type Rule, type RuleSpec } from './rule.ts';

/** All rules of one tool. */
export interface ToolRules {
  readonly specs: readonly RuleSpec[];
  /** How many patterns one text may be matched with. */
  readonly patterns: number;
  /** Compiled at the first use. */
  compiled(): readonly Rule[];
}

type RulesConfig = ServerConfig['rules'];

/** Finds the rules of a tool; undefined where it has none. Made once per configuration of a server. */
export function createToolRules(): (server: ServerConfig | undefined, tool: string) => ToolRules | undefined {
  const byConfig = new WeakMap<RulesConfig, Map<string, ToolRules | undefined>>();
  return (server, tool) => {
    if (server === undefined) return undefined;
    const byTool = byConfig.get(server.rules) ?? new Map<string, ToolRules | undefined>();
    byConfig.set(server.rules, byTool);
    // Only tools of the catalog come here, so the map is no larger than the catalog.
    if (!byTool.has(tool)) byTool.set(tool, toolRules(server.rules, tool));
    return byTool.get(tool);
  };
}

function toolRules(rules: RulesConfig, tool: string): ToolRules | undefined {
  const specs = Object.entries(rules).flatMap(([pattern, byArgument]) =>
    anyOf([pattern])(tool)
      ? Object.entries(byArgument).map(([argument, spec]): RuleSpec => ({ argument, ...spec }))
      : [],
  );
  if (specs.length === 0) return undefined;
  let compiled: readonly Rule[] | undefined;
  return {
    specs,
    patterns: specs.reduce((sum, { deny }) => sum + (deny?.length ?? 0), 0),
    compiled() {
      compiled ??= compileRules(specs);
      return compiled;
    },
  };
}
