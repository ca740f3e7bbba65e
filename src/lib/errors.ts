/**
 * A fault that a person can mend: what happened and what to do, no stack trace. Everything else is a defect of ours.
 * The remedy names the option, file, row or command.
 */
export class UserError extends Error {
  readonly remedy: string;
  readonly retryable = false;
  constructor(message: string, remedy: string) {
    super(message);
    this.name = 'UserError';
    this.remedy = remedy;
  }
}
