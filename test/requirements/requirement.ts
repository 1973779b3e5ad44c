/** What toolbus promises to do. */
export interface Requirement {
  readonly behavior: string;
}

/** Promises of one subject by their ids, `subject:what`. */
export type Requirements = Readonly<Record<string, Requirement>>;
