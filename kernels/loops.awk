# Reads `cuobjdump --dump-sass` and prints every loop of every kernel: where it begins and ends, how many instructions it has,
# and how many of each kind. A loop is what lies between a branch backwards and its target, so an outer loop counts the inner
# ones once.
function number(hex,    i, value) {
    hex = tolower(hex)
    for (i = 3; i <= length(hex); i++) value = value * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
    return value
}
$1 == "Function" { kernel = $3 }
match($1, /^\/\*[0-9a-f]+\*\/$/) && $2 !~ /^\/\*/ {
    address = number("0x" substr($1, 3, length($1) - 4))
    kind = ($2 ~ /^@/) ? $3 : $2
    sub(/;.*/, "", kind)
    at[kernel, address] = kind
    if (kind !~ /^BRA$/) next
    for (i = 2; i <= NF; i++) if ($i ~ /^0x[0-9a-f]+;?$/) { target = $i; sub(/;/, "", target); break }
    if (number(target) >= address) next
    split("", count)
    total = 0
    for (a = number(target); a <= address; a += 16) { split(at[kernel, a], part, "."); count[part[1]]++; total++ }
    printf "%s %s to 0x%x: %d instructions:", kernel, target, address, total
    for (;;) {
        most = ""
        for (kind in count) if (most == "" || count[kind] > count[most] || (count[kind] == count[most] && kind < most)) most = kind
        if (most == "" || count[most] < 4) break
        printf " %d %s", count[most], most
        delete count[most]
    }
    printf "\n"
}
