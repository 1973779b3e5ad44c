import { compilePattern, type LinearPattern } from '../../../../shared/re2.ts';

/** What an operator demands of one argument, as the configuration has it. */
export interface RuleSpec {
  /** Name of an argument, JSON pointer with `*` for any step, or `*` for everything. */
  readonly argument: string;
  readonly deny?: readonly string[] | undefined;
  readonly root?: string | undefined;
  readonly hosts?: readonly string[] | undefined;
  readonly schemes?: readonly string[] | undefined;
  readonly maxLength?: number | undefined;
}

export interface Rule extends RuleSpec {
  readonly patterns: readonly LinearPattern[];
}

/** Throws an Error for a pattern that cannot be compiled; the configuration was checked for that. */
export function compileRules(specs: readonly RuleSpec[]): readonly Rule[] {
  return specs.map((spec) => ({ ...spec, patterns: (spec.deny ?? []).map(compilePattern) }));
}
