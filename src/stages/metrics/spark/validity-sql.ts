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
  const fine = byTopic(new Map(all.map(({ topic, fields }) => [topic, areFine(fields)])), 'false');
  const rules = byTopic(new Map(all.map(({ topic, fields }) => [topic, quoted(rulesJson(fields))])), "'[]'");
  // A lambda, so that the text is parsed once for all the questions asked of it: as the first of two in a list.
  const type = `schema_of_variant(${VALUE})`;
  const looked = `transform(array(try_parse_json(concat('[', text, ',"whole"]'))), j -> CASE
    WHEN j IS NULL OR NOT is_valid_utf8(text) OR coalesce(try_variant_get(j, '$[1]', 'string'), '') <> 'whole'
      OR variant_get(j, '$[2]', 'variant') IS NOT NULL THEN ${quoted(NOT_JSON)}
    WHEN NOT (startswith(${type}, 'OBJECT<') OR startswith(${type}, 'ARRAY<')) THEN ${quoted(NO_OBJECT)}
    ELSE try_element_at(filter(transform(from_json(${rules}, '${RULES_TYPE}'), f -> ${RULE_PROBLEM}),
      problem -> problem IS NOT NULL), 1) END)[0]`;
  const quick = `parsed.not_read IS NULL AND parsed.whole AND is_valid_utf8(text) AND startswith(text, '{')
    AND ${fine}`;
  return `CASE WHEN coalesce(${quick}, false) THEN CAST(NULL AS STRING) ELSE ${looked} END`;
}

const VALUE = `variant_get(j, '$[0]', 'variant')`;

/** Why it was refused, of a record with a `problem`. */
export const REASON_SQL = `CASE problem WHEN ${quoted(NOT_JSON)} THEN 'invalid_json' ELSE 'schema' END`;

/** The quick check of an event's fields: a BOOLEAN, null for false. */
function areFine(fields: readonly Field[]): string {
  const texts = fields.filter(({ kind }) => kind === 'string').map(({ name }) => eventField(name));
  const checks = fields.map(isFine).filter((check) => check !== 'true');
  return [...checks, `NOT concat_ws('\\n', ${texts.join(', ')}) RLIKE ${quoted(ANOTHER_TOKEN)}`].join(
    ' AND ',
  );
}

/** A text (here: a line) that may stand for a number, true, false, an object or a list: `from_json` takes those too. */
const ANOTHER_TOKEN = '(?m)^(?:[-0-9{\\[]|true$|false$)';

function isFine(field: Field): string {
  const { name, nullable, optional } = field;
  const value = eventField(name);
  // As our writers put it. Another way to write it is looked at again.
  const named = `contains(text, ${quoted(`${JSON.stringify(name)}:`)})`;
  const isAbsent = nullable ? (optional ? 'true' : named) : optional ? `NOT ${named}` : 'false';
  const { kind, min, max, texts, pattern } = field;
  const isThere =
    kind === 'integer'
      ? `${value} BETWEEN ${min}D AND ${max}D AND ${value} = rint(${value})`
      : texts !== null
        ? `${value} IN (${texts.map(quoted).join(', ')})`
        : pattern !== null
          ? `${value} RLIKE ${quoted(javaPattern(pattern))}`
          : `${value} IS NOT NULL`;
  return isAbsent === 'false' ? `(${isThere})` : `(${value} IS NULL AND ${isAbsent} OR ${isThere})`;
}

/** What is checked of each field, as data: in an expression for each, Spark would plan them with every batch. */
const rulesJson = (fields: readonly Field[]): string =>
  JSON.stringify(
    fields.map(({ name, kind, nullable, optional, min, max, texts, pattern }) => {
      return { name, kind, nullable, optional, min, max, texts, pattern: pattern && javaPattern(pattern) };
    }),
  );

const RULES_TYPE = `ARRAY<STRUCT<name: STRING, kind: STRING, nullable: BOOLEAN, optional: BOOLEAN, min: DOUBLE,
  max: DOUBLE, texts: ARRAY<STRING>, pattern: STRING>>`;

/** What is wrong with the field of rule `f` in the variant `j`; null if nothing is. */
const RULE_PROBLEM = (() => {
  const path = `concat('$[0].', f.name)`;
  const value = `variant_get(j, ${path}, 'variant')`;
  const type = `schema_of_variant(${value})`;
  const number = `try_variant_get(j, ${path}, 'double')`;
  const text = `try_variant_get(j, ${path}, 'string')`;
  return `concat(f.name, CASE
    WHEN ${value} IS NULL THEN CASE WHEN NOT f.optional THEN ' is missing' END
    WHEN ${type} = 'VOID' THEN CASE WHEN NOT f.nullable THEN ' is null' END
    WHEN NOT CASE f.kind WHEN 'integer' THEN ${type} RLIKE '^(BIGINT|DECIMAL|DOUBLE|FLOAT)'
      ELSE ${type} = upper(f.kind) END THEN concat(' is not a ', f.kind)
    WHEN f.kind = 'integer' AND (abs(${number}) > ${SAFE_MAX}D OR ${number} <> rint(${number}))
      THEN ' cannot be held exactly'
    WHEN f.kind = 'integer' AND ${number} NOT BETWEEN f.min AND f.max THEN ' is out of range'
    WHEN NOT array_contains(f.texts, ${text}) OR NOT ${text} RLIKE f.pattern THEN ' is not allowed' END)`;
})();

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
