// Reading events in Spark: which fields, and what is wrong with a record, as fields.ts and embedded/intake.ts
// judge it, word by word.
//
// Nearly every record is fine and must cost little. So there is a quick check over the fields that `from_json` read:
// what passes it is fine. What does not is looked at again, exactly, with its values' own JSON types; that may still
// find nothing wrong (a text that begins with a digit might have been a number).
import { METRIC_TEXT_CHARS_MAX } from '../../../contracts/metrics.ts';
import type { Program } from '../compile.ts';
import type { Field } from '../fields.ts';
import { byTopic, eventField, quoted } from './sql-text.ts';

const NOT_JSON = 'the bytes are not JSON';
const NO_OBJECT = 'the value is not an object';
const SAFE_MAX = Number.MAX_SAFE_INTEGER;

/** Numbers are read as JavaScript reads them: 1, 1.0 and 1e0 are one number. */
const TYPES: Readonly<Record<Field['kind'], string>> = {
  integer: 'DOUBLE',
  string: 'STRING',
  boolean: 'BOOLEAN',
};

/** The parser takes what `JSON.parse` takes. */
const JSON_OPTIONS = {
  mode: 'PERMISSIVE',
  columnNameOfCorruptRecord: 'not_read',
  allowSingleQuotes: 'false',
  allowNonNumericNumbers: 'false',
} as const;

/**
 * Parses column `text` into a STRUCT: `e`, with every field that the program reads of any topic, `whole`, and
 * `not_read` where something could not be read. Spark's parser stops where the value ends, whatever follows; so the
 * text is read as a field of an object that has another one after it.
 */
export function parseSql({ topics }: Program): string {
  const types = new Map<string, string>();
  for (const { topic, fields } of topics.values()) {
    for (const { name, kind } of fields) {
      const known = types.get(name) ?? TYPES[kind];
      if (known !== TYPES[kind]) throw new Error(`field ${name} of ${topic} is of another type elsewhere`);
      types.set(name, known);
    }
  }
  const fields = [...types].map(([name, type]) => `\`${name}\`: ${type}`);
  const columns = `e STRUCT<${fields.join(', ')}>, whole BOOLEAN, not_read STRING`;
  const options = Object.entries(JSON_OPTIONS).map((option) => option.map(quoted).join(', '));
  return `from_json(concat('{"e":', text, ',"whole":true}'), ${quoted(columns)}, map(${options.join(', ')}))`;
}

/** What is wrong with the record (columns `topic`, `text`, `parsed`), or null. */
export function problemSql({ topics }: Program): string {
  const all = [...topics.values()];
  const fine = byTopic(
    new Map(all.map(({ topic, fields }) => [topic, fields.map(isFine).join(' AND ')])),
    'false',
  );
  const exact = byTopic(
    new Map(all.map(({ topic, fields }) => [topic, firstProblem(fields)])),
    quoted(NO_OBJECT),
  );
  // A lambda, so that the text is parsed once for all the questions asked of it: as the first of two in a list.
  const type = `schema_of_variant(${VALUE})`;
  const looked = `transform(array(try_parse_json(concat('[', text, ',"whole"]'))), j -> CASE
    WHEN j IS NULL OR NOT is_valid_utf8(text) OR coalesce(try_variant_get(j, '$[1]', 'string'), '') <> 'whole'
      OR variant_get(j, '$[2]', 'variant') IS NOT NULL THEN ${quoted(NOT_JSON)}
    WHEN NOT (startswith(${type}, 'OBJECT<') OR startswith(${type}, 'ARRAY<')) THEN ${quoted(NO_OBJECT)}
    ELSE ${exact} END)[0]`;
  const quick = `parsed.not_read IS NULL AND parsed.whole AND is_valid_utf8(text) AND startswith(text, '{')
    AND ${fine}`;
  return `CASE WHEN coalesce(${quick}, false) THEN CAST(NULL AS STRING) ELSE ${looked} END`;
}

const VALUE = `variant_get(j, '$[0]', 'variant')`;

/** Why it was refused, of a record with a `problem`. */
export const REASON_SQL = `CASE problem WHEN ${quoted(NOT_JSON)} THEN 'invalid_json' ELSE 'schema' END`;

/** The quick check of a field: a BOOLEAN, null for false. */
function isFine(field: Field): string {
  const value = eventField(field.name);
  // As our writers put it. Another way to write it is looked at again, below.
  const named = `contains(text, ${quoted(`${JSON.stringify(field.name)}:`)})`;
  const { nullable, optional } = field;
  if (nullable && optional) return `(${value} IS NULL OR ${isValueFine(field, value)})`;
  if (nullable) return `(${value} IS NULL AND ${named} OR ${isValueFine(field, value)})`;
  if (optional) return `(${value} IS NULL AND NOT ${named} OR ${isValueFine(field, value)})`;
  return `(${isValueFine(field, value)})`;
}

function isValueFine({ kind, min, max, texts, pattern }: Field, value: string): string {
  if (kind === 'integer') return `${value} BETWEEN ${min}D AND ${max}D AND ${value} = rint(${value})`;
  if (kind === 'boolean') return `${value} IS NOT NULL`;
  const another = anotherTokenSql(value);
  if (texts !== null) return `${value} IN (${texts.map(quoted).join(', ')}) AND NOT ${another}`;
  if (pattern !== null) return `${value} RLIKE ${quoted(javaPattern(pattern))} AND NOT ${another}`;
  return `NOT ${another}`;
}

/** Whether a text that `from_json` read may stand for a number, true, false, an object or a list. */
const anotherTokenSql = (value: string): string =>
  `(${value} >= '-' AND ${value} < '.' OR ${value} >= '0' AND ${value} < ':' OR ${value} >= '[' AND ${value} < '\\\\'` +
  ` OR ${value} >= '{' AND ${value} < '|' OR ${value} IN ('true', 'false'))`;

/** Exact, of the variant `j`: the first field with something wrong, null if there is none. */
const firstProblem = (fields: readonly Field[]): string =>
  `coalesce(${fields.map(fieldProblem).join(',\n')}, CAST(NULL AS STRING))`;

function fieldProblem(field: Field): string {
  const { name, kind, nullable, optional, min, max, texts, pattern } = field;
  const wrong = (what: string) => quoted(`${name} ${what}`);
  const path = quoted(`$[0].${name}`);
  const value = `variant_get(j, ${path}, 'variant')`;
  const type = `schema_of_variant(${value})`;
  const as = (sqlType: string) => `try_variant_get(j, ${path}, ${quoted(sqlType)})`;
  const isNull = nullable ? 'CAST(NULL AS STRING)' : wrong('is null');
  const missing = optional ? 'CAST(NULL AS STRING)' : wrong('is missing');
  const whens = [`WHEN ${value} IS NULL THEN ${missing}`, `WHEN ${type} = 'VOID' THEN ${isNull}`];
  if (kind === 'integer') {
    const number = as('double');
    whens.push(`WHEN NOT ${type} RLIKE '^(BIGINT|DECIMAL|DOUBLE|FLOAT)' THEN ${wrong(`is not a ${kind}`)}`);
    whens.push(
      `WHEN abs(${number}) > ${SAFE_MAX}D OR ${number} <> rint(${number}) THEN ${wrong('cannot be held exactly')}`,
    );
    whens.push(`WHEN ${number} NOT BETWEEN ${min}D AND ${max}D THEN ${wrong('is out of range')}`);
  } else {
    whens.push(`WHEN ${type} <> ${quoted(TYPES[kind])} THEN ${wrong(`is not a ${kind}`)}`);
  }
  if (texts !== null) {
    whens.push(
      `WHEN ${as('string')} NOT IN (${texts.map(quoted).join(', ')}) THEN ${wrong('is not allowed')}`,
    );
  }
  if (pattern !== null) {
    whens.push(
      `WHEN NOT ${as('string')} RLIKE ${quoted(javaPattern(pattern))} THEN ${wrong('is not allowed')}`,
    );
  }
  return `CASE ${whens.join(' ')} END`;
}

/**
 * A regular expression of a schema for Spark. Only what means the same in Java and JavaScript is taken: characters,
 * classes of them, repetition, groups, and the anchors, of which `$` is Java's `\z`. Throws on anything else.
 */
export function javaPattern(pattern: string): string {
  const parts = /^\^?(?:[\w -]|\[[\w -]+\]|\{\d+(?:,\d*)?\}|[()|?*+])*\$?$/;
  if (!parts.test(pattern)) throw new Error(`Spark might understand the pattern ${pattern} otherwise`);
  return pattern.replace(/\$$/, '\\z');
}

/** A text that is grouped, shown or counted as distinct, as long as metrics look at. */
export function clippedSql(value: string): string {
  const max = METRIC_TEXT_CHARS_MAX;
  return `CASE WHEN octet_length(${value}) > ${max} THEN left(${value}, ${max}) ELSE ${value} END`;
}
