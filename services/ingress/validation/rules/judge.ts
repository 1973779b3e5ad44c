import type { JsonObject } from '../../../../shared/mcp/json.ts';
import { faultOfUrl } from './host-rule.ts';
import { faultOfPath } from './path-rule.ts';
import type { Rule } from './rule.ts';
import { type Leaf, leavesOf } from './targets.ts';

const maxViolations = 20;

/** What in these arguments breaks a rule, one line each: where, what, and which rule. Empty: nothing. */
export function judge(rules: readonly Rule[], args: JsonObject): string[] {
  const violations: string[] = [];
  for (const rule of rules) {
    for (const leaf of leavesOf(args, rule.argument)) {
      const fault = faultOf(leaf, rule);
      if (fault !== undefined) violations.push(`${leaf.at}: ${fault}`);
      if (violations.length >= maxViolations) return violations;
    }
  }
  return violations;
}

function faultOf({ value }: Leaf, rule: Rule): string | undefined {
  const text = String(value);
  if (rule.maxLength !== undefined && text.length > rule.maxLength)
    return `is longer than ${rule.maxLength} characters (rule maxLength)`;
  const denied = rule.patterns.findIndex((pattern) => pattern.test(text));
  if (denied !== -1) return `holds what the operator forbids (rule deny ${denied + 1})`;
  if (rule.root === undefined && rule.hosts === undefined) return undefined;
  if (typeof value !== 'string') return `must be text (rule ${rule.root === undefined ? 'hosts' : 'root'})`;
  const path = rule.root === undefined ? undefined : faultOfPath(value, rule.root);
  if (path !== undefined) return `${path} (rule root)`;
  const url = rule.hosts === undefined ? undefined : faultOfUrl(value, rule.hosts, rule.schemes);
  return url === undefined ? undefined : `${url} (rule hosts)`;
}
