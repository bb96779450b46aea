// Package suggest finds what somebody may have meant who wrote something that isn't
// there.
package suggest

// Closest is the candidate that takes the fewest changes to become name, if they
// are few: one for each three letters, and one more. It is "" if there is none.
func Closest(name string, candidates []string) (best string) {
	least := len(name)/3 + 2
	for _, c := range candidates {
		if d := distance(name, c); d < least {
			best, least = c, d
		}
	}
	return best
}

// distance counts the bytes to insert, delete or replace (Levenshtein), letter
// case counting nothing.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i]|0x20 != b[j]|0x20 {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j]+1, row[j+1]+1, replace)
		}
	}
	return row[len(b)]
}
