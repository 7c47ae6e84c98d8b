/** One card payment, with the truth about it: a bank learns `fraud` days later and `scenario` never. */
export type Payment = {
  /** `p`, the day and the number within the day, padded: ids sort as the payments do. Unique within one seed. */
  readonly paymentId: string
  readonly customerId: number
  readonly terminalId: number
  /** Whole cents, as the decimal number nearest to them: 57.16. Zero is possible. */
  readonly amount: number
  /** Epoch milliseconds, on a whole second. */
  readonly at: number
  readonly fraud: boolean
  /** 0: no fraud. 1: large amount. 2: compromised terminal. 3: leaked card. */
  readonly scenario: 0 | 1 | 2 | 3
}
