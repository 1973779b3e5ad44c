import type { View } from '../catalog/catalog.ts';

/** What tells one state of the lists from another; the same at every ingress. Short, because event ids carry it. */
export interface ListDigests {
  readonly tools: string;
  readonly prompts: string;
  /** Templates have no notification of their own; they belong to the resources. */
  readonly resources: string;
}

const kept = 10;

export function listDigests({ listVersions }: View): ListDigests {
  const { tools, prompts, resources, resourceTemplates } = listVersions;
  return {
    tools: tools.slice(0, kept),
    prompts: prompts.slice(0, kept),
    resources: `${resources.slice(0, kept)}${resourceTemplates.slice(0, kept)}`,
  };
}
