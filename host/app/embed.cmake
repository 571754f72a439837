# Writes OUT, a C file with every Lua file named in LIST as an array (see embed.h).
# ROOT is the folder that module names count from: ROOT/mphost/pool.lua is "mphost.pool".
file(STRINGS ${LIST} files)
set(arrays "")
set(table "")
set(number 0)
foreach(file ${files})
  file(RELATIVE_PATH name ${ROOT} ${file})
  string(REGEX REPLACE "(/init)?\\.lua$" "" module ${name})
  string(REPLACE "/" "." module ${module})
  file(READ ${file} hex HEX)
  string(LENGTH "${hex}" size)
  math(EXPR size "${size} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(................................................................................)"
         "\\1\n" bytes "${bytes}")
  string(APPEND arrays "static const unsigned char text_${number}[] = {\n${bytes}0};\n")
  string(APPEND table "  {\"${module}\", \"@${name}\", text_${number}, ${size}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUT} "#include \"app/embed.h\"\n\n${arrays}
const struct embed_file embed_files[] = {\n${table}  {0, 0, 0, 0}};\n")
