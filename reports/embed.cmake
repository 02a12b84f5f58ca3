# Files as C: cmake -DOUT=FILE -DSOURCES=a.css;b.js -P embed.cmake
# "report.css" becomes `const char report_css[]`, with a NUL at its end.
set(text "/* Written by reports/embed.cmake. */\n")
foreach(source ${SOURCES})
    get_filename_component(name ${source} NAME)
    string(REPLACE "." "_" name ${name})
    file(READ ${source} bytes HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
    string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")
    string(APPEND text "extern const char ${name}[];\nconst char ${name}[] = {\n${bytes}0};\n")
endforeach()
file(WRITE ${OUT} "${text}")
