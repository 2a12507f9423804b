/** The version of this program, as its package has it. */
export const knarrVersion = "0.1.0"
