import { DuckDBInstance } from '@duckdb/node-api'

const windowDays = [1, 7, 30] as const
const terminalOffsetDays = 7

export type SweepPaths = { readonly input: string; readonly output: string }

/**
 * DuckDB's own windows over payments (transaction_id, ts, customer_id, terminal_id, amount, fraud), from Parquet to
 * Parquet on one thread, in the input's order: per payment the customer's count and mean amount over 1, 7 and 30
 * days, the payment among them, and the terminal's count and share of fraud over as many days that end 7 days before.
 *
 * Windows are (t - length, t], as the published features have them. DuckDB's frames are closed at both ends, so they
 * begin a microsecond later, the resolution of its timestamps. Returns the number of rows written.
 */
export async function sweepWithDuckDB({ input, output }: SweepPaths): Promise<number> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await instance.connect()
  try {
    const result = await connection.run(
      `copy (${sweepQuery(input)}) to '${quoted(output)}' (format parquet, compression zstd)`,
    )
    const rows = await result.getRows()
    return Number(rows[0]?.[0] ?? 0)
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

function sweepQuery(input: string): string {
  const customer = windowDays.flatMap((days) => [
    `count(*) over customer_${days}d as c_count_${days}d`,
    `avg(amount) over customer_${days}d as c_amount_mean_${days}d`,
  ])
  const terminal = windowDays.flatMap((days) => [
    `count(*) over terminal_${days}d as t_count_${days}d`,
    `avg(fraud) over terminal_${days}d as t_fraud_mean_${days}d`,
  ])
  const windows = windowDays.flatMap((days) => [
    `customer_${days}d as (partition by customer_id order by ts range between ${after(days)} preceding and current row)`,
    `terminal_${days}d as (partition by terminal_id order by ts range between ${after(days + terminalOffsetDays)} preceding and interval ${terminalOffsetDays} days preceding)`,
  ])
  return `select transaction_id, ${[...customer, ...terminal].join(', ')}
    from read_parquet('${quoted(input)}') window ${windows.join(', ')}`
}

/** The length of `days`, less a microsecond. */
function after(days: number): string {
  return `to_microseconds(${days * 86_400_000_000 - 1})`
}

function quoted(path: string): string {
  return path.replaceAll("'", "''")
}
