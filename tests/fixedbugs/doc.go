// Package fixedbugs holds one small program for each bug that was found in the
// compiler and fixed: a txtar file in testdata whose comment tells what was
// wrong. Every program must compile and load. Section "faults" lists where it may
// still fault, section "return" what it returns for a packet of 64 zero bytes.
package fixedbugs
