/** An escape of NUL: after an even number of backslashes. */
const NUL_ESCAPE = /(?:^|[^\\])(?:\\\\)*\\u0000/;

/** Whether a text within this JSON holds the character NUL, which no PostgreSQL text can. */
export const holdsNul = (json: string): boolean => json.includes('\\u0000') && NUL_ESCAPE.test(json);
