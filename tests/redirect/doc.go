// Package redirect tests "waggle redirect" as its users run it: real programs talk with
// each other over the short cut, and the command is ended in every way.
package redirect
