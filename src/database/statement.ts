import type { QueryResultRow } from 'pg'

/** PostgreSQL types that cross the driver, and what each is in TypeScript. Enums cross as text. */
interface PgTypes {
  int2: number
  int4: number
  int8: bigint
  float8: number
  text: string
  uuid: string
  bool: boolean
  timestamptz: Date
  bytea: Buffer
  /** Given as text, received as what it says. */
  json: unknown
  jsonb: unknown
  'int2[]': number[]
  'int4[]': number[]
  'int8[]': bigint[]
  'text[]': (string | null)[]
}
type PgType = keyof PgTypes
/** A parameter or column: its type, with `?` behind it when it may be null. */
type Shape = Record<string, PgType | `${PgType}?`>
type Value<T> = T extends `${infer N extends PgType}?`
  ? PgTypes[N] | null
  : T extends PgType
    ? PgTypes[T]
    : never
type Values<S extends Shape> = { [K in keyof S]: Value<S[K]> }

export interface NamedQuery {
  name: string
  text: string
  values: unknown[]
}

/** Something that runs statements: a transaction, or the database itself, where each statement commits alone. */
export interface Tx {
  query(query: NamedQuery): Promise<{ rows: QueryResultRow[] }>
}

export interface Statement<P extends Shape = Shape, R extends Shape = Shape> {
  (tx: Tx, parameters: Values<P>): Promise<Values<R>[]>
  definition: { name: string; text: string; parameters: P; row: R }
}

/** Every statement of the program, for the test that describes each one against the migrated schema. */
export const statements: Statement[] = []

/**
 * Declares one named, prepared statement. `:name` in the SQL is a parameter of the declared type. The types of
 * parameters and rows are believed here and proven by test/contract/statements.test.ts.
 */
export function statement<const P extends Shape, const R extends Shape>(
  name: string,
  parameters: P,
  row: R,
  sql: string
): Statement<P, R> {
  const names = Object.keys(parameters)
  const text = sql.replaceAll(/(?<![:\w]):([a-z_]+)/g, (_, parameter: string) => {
    const type = parameters[parameter]
    if (type === undefined)
      throw new Error(`statement "${name}" uses :${parameter}, which it does not declare`)
    return `$${names.indexOf(parameter) + 1}::${type.replace('?', '')}`
  })
  const run = async (tx: Tx, values: Values<P>): Promise<Values<R>[]> => {
    const { rows } = await tx.query({ name, text, values: names.map((key) => values[key as keyof P]) })
    return rows as Values<R>[]
  }
  const declared = Object.assign(run, { definition: { name, text, parameters, row } })
  statements.push(declared as unknown as Statement)
  return declared
}
