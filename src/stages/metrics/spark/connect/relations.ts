// What a query is made of: plain values, put together here and sent as they are when the query starts. Nothing is
// checked before: Spark says what is wrong with a plan when it is started.
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ExpressionSchema, RelationSchema } from './generated/spark-connect_pb.ts';

/** Rows that are to be: a source or something made of other relations. */
export type Relation = MessageInitShape<typeof RelationSchema>;

/** A column of a `project`. */
export type Column = MessageInitShape<typeof ExpressionSchema>;

export interface SourceOptions {
  /** As Spark calls it: `kafka`, `rate`, `json`, … */
  readonly format: string;
  /** As Spark documents them for the format. */
  readonly options?: Readonly<Record<string, string>>;
  /** DDL (`id BIGINT, at TIMESTAMP`), for formats that need to be told. */
  readonly schema?: string;
  /** For formats that read files. */
  readonly path?: string;
}

/** An endless source. */
export const readStream = ({ format, options = {}, schema, path }: SourceOptions): Relation => ({
  relType: {
    case: 'read',
    value: {
      isStreaming: true,
      readType: {
        case: 'dataSource',
        value: {
          format,
          options: { ...options },
          ...(schema === undefined ? {} : { schema }),
          paths: path === undefined ? [] : [path],
        },
      },
    },
  },
});

/**
 * A SELECT over `inputs`, which it names as it would tables. The names live in this relation alone: nothing is left
 * behind at the server, and another relation may give the same names to other things.
 */
export function sql(query: string, inputs: Readonly<Record<string, Relation>> = {}): Relation {
  const root: Relation = { relType: { case: 'sql', value: { query } } };
  const references = Object.entries(inputs).map(
    ([alias, input]): Relation => ({ relType: { case: 'subqueryAlias', value: { alias, input } } }),
  );
  if (references.length === 0) return root;
  return { relType: { case: 'withRelations', value: { root, references } } };
}

/** Columns of the input, each as it is named or aliased. For SQL text alone `sql` reads better; this gives metadata. */
export const project = (input: Relation, columns: readonly Column[]): Relation => ({
  relType: { case: 'project', value: { input, expressions: [...columns] } },
});

/** All columns of the input. */
export const allColumns: Column = { exprType: { case: 'unresolvedStar', value: {} } };

/** A column or field of the input by its name, written as in SQL: a.b is field b of a, `a.b` in backticks a column. */
export const column = (name: string): Column => ({
  exprType: { case: 'unresolvedAttribute', value: { unparsedIdentifier: name } },
});

/** An expression in SQL text over the input's columns. */
export const expression = (text: string): Column => ({
  exprType: { case: 'expressionString', value: { expression: text } },
});

/** A column under another name. Its metadata is JSON to Spark and may be read by its rules, as that of watermarks. */
export const alias = (
  expr: Column,
  name: string,
  metadata?: Readonly<Record<string, string | number | boolean>>,
): Column => ({
  exprType: {
    case: 'alias',
    value: { expr, name: [name], ...(metadata === undefined ? {} : { metadata: JSON.stringify(metadata) }) },
  },
});

/** The input with a watermark: the greatest value of the TIMESTAMP column `eventTime` seen, less `delayMs`. */
export const withWatermark = (input: Relation, eventTime: string, delayMs: number): Relation => ({
  relType: { case: 'withWatermark', value: { input, eventTime, delayThreshold: `${delayMs} milliseconds` } },
});

/** The input in at most `partitions` partitions, without a shuffle: fewer tasks, each with more of the sources. */
export const coalesce = (input: Relation, partitions: number): Relation => ({
  relType: { case: 'repartition', value: { input, numPartitions: partitions, shuffle: false } },
});
