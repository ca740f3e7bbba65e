// Reading the few fields that metrics use out of a parsed event, checked against the event's schema.
import { z } from 'zod';
import { EVENT_CONTRACTS } from '../../contracts/events/events.ts';
import { METRIC_TEXT_CHARS_MAX } from '../../contracts/metrics.ts';

export type Scalar = string | number | boolean | null;
type Kind = 'integer' | 'string' | 'boolean';

export interface Field {
  readonly name: string;
  readonly kind: Kind;
  readonly nullable: boolean;
  readonly optional: boolean;
  readonly min: number;
  readonly max: number;
  /** Of a text: the only ones that the schema allows; null where it names none. */
  readonly texts: readonly string[] | null;
  /** Of a text: the regular expression that it must match; null where there is none. */
  readonly pattern: string | null;
  /** Of a text: `texts` and `pattern` in one; null where any will do. */
  readonly allows: ((text: string) => boolean) | null;
}

interface PropertySchema {
  readonly type?: string | readonly string[];
  readonly anyOf?: readonly PropertySchema[];
  readonly enum?: readonly string[];
  readonly const?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}
interface EventSchema {
  readonly properties: Readonly<Record<string, PropertySchema>>;
  readonly required: readonly string[];
}

/** What the schema of a topic's events says of a field. Throws on a field that metrics cannot use. */
export function fieldOf(topic: string, name: string): Field {
  const contract = (EVENT_CONTRACTS as Readonly<Record<string, { schema: z.ZodType }>>)[topic];
  if (contract === undefined) throw new Error(`topic ${topic} has no event contract`);
  const schema = z.toJSONSchema(contract.schema) as unknown as EventSchema;
  const property = schema.properties[name];
  if (property === undefined) throw new Error(`events of ${topic} have no field ${name}`);
  const choices = property.anyOf ?? [property];
  const types = choices.flatMap((choice) => choice.type ?? []);
  const kind = types.find((type) => type !== 'null');
  if (kind !== 'integer' && kind !== 'string' && kind !== 'boolean') {
    throw new Error(`field ${name} of ${topic} is neither a text, an integer nor a boolean`);
  }
  const rules = choices.find((choice) => choice.type !== 'null')!;
  return {
    name,
    kind,
    nullable: types.includes('null'),
    optional: !schema.required.includes(name),
    min: rules.minimum ?? Number.MIN_SAFE_INTEGER,
    max: rules.maximum ?? Number.MAX_SAFE_INTEGER,
    ...allowedTexts(rules),
  };
}

function allowedTexts(rules: PropertySchema): Pick<Field, 'texts' | 'pattern' | 'allows'> {
  const texts = rules.const === undefined ? rules.enum : [rules.const];
  if (texts !== undefined) {
    const set = new Set(texts);
    return { texts, pattern: null, allows: (text) => set.has(text) };
  }
  if (rules.pattern === undefined) return { texts: null, pattern: null, allows: null };
  const pattern = new RegExp(rules.pattern, 'u');
  return { texts: null, pattern: rules.pattern, allows: (text) => pattern.test(text) };
}

/** A text longer than that in UTF-16 units: its first characters. A pair of surrogates is one, and stays whole. */
function clip(text: string): string {
  let end = 0;
  for (let chars = 0; chars < METRIC_TEXT_CHARS_MAX && end < text.length; chars++) {
    end += text.codePointAt(end)! > 0xff_ff ? 2 : 1;
  }
  // Copied, so that the cut text does not keep the long one in memory.
  return Buffer.from(text.slice(0, end), 'utf16le').toString('utf16le');
}

/**
 * Reads the fields into `values` (same order). The answer is null, or what is wrong with the event. A missing
 * optional field is null.
 */
export function readFields(
  event: Readonly<Record<string, unknown>>,
  fields: readonly Field[],
  values: Scalar[],
): string | null {
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i]!;
    const value = event[field.name];
    if (typeof value === 'number') {
      if (field.kind !== 'integer') return `${field.name} is not a ${field.kind}`;
      if (!Number.isSafeInteger(value)) return `${field.name} cannot be held exactly`;
      if (value < field.min || value > field.max) return `${field.name} is out of range`;
      values[i] = value;
    } else if (typeof value === 'string') {
      if (field.kind !== 'string') return `${field.name} is not a ${field.kind}`;
      if (field.allows !== null && !field.allows(value)) return `${field.name} is not allowed`;
      values[i] = value.length > METRIC_TEXT_CHARS_MAX ? clip(value) : value;
    } else if (value === null) {
      if (!field.nullable) return `${field.name} is null`;
      values[i] = null;
    } else if (value === undefined) {
      if (!field.optional) return `${field.name} is missing`;
      values[i] = null;
    } else {
      if (typeof value !== field.kind) return `${field.name} is not a ${field.kind}`;
      values[i] = value as boolean;
    }
  }
  return null;
}
