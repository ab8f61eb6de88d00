module tftl

go 1.26
