// Package httpwatch prints the HTTP requests that pass a machine's network
// interfaces: the tool behind "waggle trace http".
package httpwatch
