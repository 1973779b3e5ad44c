/** Why a request is not let in. `message` is for the agent. */
export interface Refused {
  readonly status: 400 | 401 | 403;
  readonly message: string;
  /** Value of `WWW-Authenticate`. */
  readonly challenge?: string | undefined;
}
