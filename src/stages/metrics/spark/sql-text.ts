// Pieces of Spark SQL text.
import type { Condition } from '../../../contracts/metrics.ts';
import type { Field } from '../fields.ts';

/** A text as a literal. */
export const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

/** A field of the parsed event (column `parsed`). */
export const eventField = (name: string): string => `parsed.e.\`${name}\``;

/** A literal of a kind; numbers of events are DOUBLE, as JavaScript has them. */
const literal = (value: string | number | boolean): string =>
  typeof value === 'string' ? quoted(value) : typeof value === 'number' ? `${value}D` : String(value);

/** What a value of this kind is called by `typeof`. */
const typeOf = (kind: Field['kind']): string => (kind === 'integer' ? 'number' : kind);

/** All of them, as a BOOLEAN that may be null. What no value of the field's kind can be equal to never holds. */
export function conditionsSql(
  where: readonly Condition[] | undefined,
  fieldOf: (name: string) => Pick<Field, 'kind'>,
): string {
  if (where === undefined || where.length === 0) return 'true';
  return where
    .map((condition) => `(${conditionSql(condition, fieldOf(condition.field).kind)})`)
    .join(' AND ');
}

function conditionSql(condition: Condition, kind: Field['kind']): string {
  const field = eventField(condition.field);
  if ('is' in condition) {
    if (condition.is === null) return `${field} IS NULL`;
    return typeof condition.is === typeOf(kind) ? `${field} = ${literal(condition.is)}` : 'false';
  }
  const values = ('in' in condition ? condition.in : condition.notIn).filter(
    (value) => typeof value === typeOf(kind),
  );
  const list = values.map(literal).join(', ');
  if ('in' in condition) return values.length === 0 ? 'false' : `${field} IN (${list})`;
  return values.length === 0 ? `${field} IS NOT NULL` : `${field} NOT IN (${list})`;
}

/** One expression a topic, by column `topic`; topics with the same one share it. */
export function byTopic(expressions: ReadonlyMap<string, string>, otherwise: string): string {
  const topicsOf = new Map<string, string[]>();
  for (const [topic, sql] of expressions) topicsOf.set(sql, [...(topicsOf.get(sql) ?? []), topic]);
  if (topicsOf.size === 0) return otherwise;
  const whens = [...topicsOf].map(
    ([sql, topics]) => `WHEN topic IN (${topics.map(quoted).join(', ')}) THEN ${sql}`,
  );
  return `CASE ${whens.join('\n')} ELSE ${otherwise} END`;
}
